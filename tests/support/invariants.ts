import { testEnv } from "./client.ts";
import { unbalancedUsers } from "./platform.ts";
import { searchStatesOf } from "./search-invariants.ts";

/** Users to inspect: by id, identifier or provider subject. */
export interface Scope {
  userIds?: readonly string[];
  identifiers?: readonly string[];
  subjects?: readonly string[];
  /** Whether the users have or had files. */
  hasFiles?: boolean;
}

type Row = Record<string, unknown>;

async function readAll(statements: readonly (readonly [string, ...unknown[]])[]): Promise<Row[][]> {
  const results = await testEnv.DB.batch<Row>(
    statements.map(([sql, ...values]) => testEnv.DB.prepare(sql).bind(...values)),
  );
  return results.map(({ results: rows }) => rows);
}

/** Ids of the scope's users: those listed, and those who currently have its identifiers or subjects. */
export async function usersIn({ userIds = [], identifiers = [], subjects = [] }: Scope): Promise<string[]> {
  const [found = []] = await readAll([
    [
      `select value as id from json_each(?1)
        union select id from users where email in (select value from json_each(?2)) or phone_number in (select value from json_each(?2))
        union select user_id from social_accounts where subject in (select value from json_each(?3))`,
      JSON.stringify(userIds),
      JSON.stringify(identifiers),
      JSON.stringify(subjects),
    ],
  ]);
  return found.map(({ id }) => String(id));
}

const OF_USERS = [
  `select 'user ' || status || ' ' || role || ' version ' || version || ' verified ' || email_verified || phone_verified as label,
    count(*) as n from users where id in $ group by 1`,
  "select 'profile' || (full_name is not null) || (address is not null) as label, count(*) as n from profiles where user_id in $ group by 1",
  "select 'wallet ' || balance_minor as label, count(*) as n from wallets where user_id in $ group by 1",
  "select 'points ' || current_points || ' of ' || total_points as label, count(*) as n from points where user_id in $ group by 1",
  "select 'points for ' || reason as label, count(*) as n from point_transactions where user_id in $ group by 1",
  "select 'money by ' || transaction_type || ' ' || wallet_delta_minor as label, count(*) as n from wallet_transactions where user_id in $ group by 1",
  "select 'rental' || (returned_at is not null) as label, count(*) as n from rentals where user_id in $ group by 1",
  "select 'favourite' || is_favorite as label, count(*) as n from favorite_stations where user_id in $ group by 1",
  `select 'session ' || coalesce(revoked_reason, 'live') || ' counter ' || counter as label, count(*) as n
    from sessions where user_id in $ group by 1`,
  `select 'audit ' || action || ' ' || entity_type || case when by_staff then ' by staff' else '' end as label, count(*) as n
    from audit_logs where user_id in $ group by 1`,
  `select 'event ' || type || case when is_sent then ' sent' else ' unsent' end as label,
    count(*) as n from recorded_events where user_id in $ and type <> 'push.requested' group by 1`,
  `select 'notification ' || notification_type || (read_at is not null or coalesce(id <= (select notifications_read_through
    from users where users.id = user_id), 0)) as label, count(*) as n from notifications where user_id in $ group by 1`,
  "select 'device' || is_active || (fcm_token is not null) as label, count(*) as n from devices where user_id in $ group by 1",
  `select 'identifier ' || kind || ' ' || coalesce(outcome, 'changed') as label, count(*) as n
    from identity_changes where user_id in $ group by 1`,
  "select 'passkey' as label, count(*) as n from passkeys where user_id in $ having n > 0",
  "select 'proved session' as label, count(*) as n from sessions where user_id in $ and proved_at is not null having n > 0",
  "select 'social ' || provider as label, count(*) as n from social_accounts where user_id in $ group by 1",
  "select 'kyc ' || status || ' version ' || version as label, count(*) as n from kyc where user_id in $ group by 1",
  "select 'file ' || state as label, count(*) as n from kyc_documents where user_id in $ group by 1",
  "select 'viewed file' as label, count(*) as n from kyc_document_views where viewer_id in $ having n > 0",
  "select 'report' as label, count(*) as n from analytics_reports where user_id in $ having n > 0",
  "select 'dead letter ' || coalesce(type, '?') as label, count(*) as n from dead_letters where user_id in $ group by 1",
  "select 'referral ' || status as label, count(*) as n from referrals where invitee_id in $ or inviter_id in $ group by 1",
];
const OF_IDENTIFIERS = [
  "select 'code' as label, count(*) as n from otp_challenges where identifier in $ having n > 0",
  "select 'token ' || coalesce(used_for, 'unused') as label, count(*) as n from otp_challenges where identifier in $ and consumed_network is not null group by 1",
  "select 'message by ' || channel as label, count(*) as n from local_outbox where recipient in $ group by 1",
  "select 'locked ' || (locked_until > 0) as label, count(*) as n from otp_network_guards where identifier in $ and locked_until > 0 group by 1",
];

/** Everything written about the scope's users, as counts by kind; without times, ids and texts. */
export async function footprintOf(scope: Scope): Promise<Record<string, number>> {
  const ids = await usersIn(scope);
  const statement = (sql: string, list: readonly string[]) =>
    [sql.replaceAll("in $", "in (select value from json_each(?1))"), JSON.stringify(list)] as const;
  const found = await readAll([
    ...OF_USERS.map((sql) => statement(sql, ids)),
    ...OF_IDENTIFIERS.map((sql) => statement(sql, scope.identifiers ?? [])),
  ]);
  const footprint = Object.fromEntries(found.flat().map(({ label, n }) => [String(label), Number(n)]));
  for (const state of await searchStatesOf(ids)) footprint[state] = (footprint[state] ?? 0) + 1;
  for (const id of scope.hasFiles ? ids : []) {
    const { objects } = await testEnv.KYC_BUCKET.list({ prefix: `kyc/${id}/` });
    if (objects.length > 0) footprint.object = (footprint.object ?? 0) + objects.length;
  }
  return footprint;
}

const RULES: readonly (readonly [string, string])[] = [
  [
    "has no profile, wallet or points",
    `select id from users where id in $ and (not exists (select 1 from profiles p where p.user_id = users.id)
      or not exists (select 1 from wallets w where w.user_id = users.id) or not exists (select 1 from points p where p.user_id = users.id))`,
  ],
  [
    "has the signup bonus more than once",
    "select user_id as id from point_transactions where user_id in $ and reason = 'signup_bonus' group by 1 having count(*) > 1",
  ],
  [
    "shares an identifier",
    `select a.id from users a join users b on b.id <> a.id and (b.email = a.email or b.phone_number = a.phone_number or b.username_key = a.username_key)
      where a.id in $`,
  ],
  [
    "has a live session and may not act",
    `select user_id as id from sessions where user_id in $ and revoked_at is null
      and not exists (select 1 from users where users.id = sessions.user_id and status = 'ACTIVE')`,
  ],
  [
    "has more than ten live sessions",
    "select user_id as id from sessions where user_id in $ and revoked_at is null group by 1 having count(*) > 10",
  ],
  [
    "has an ended session without exactly one audit row",
    `select user_id as id from sessions where user_id in $ and revoked_at is not null and
      (select count(*) from audit_logs l where l.action = 'LOGOUT' and l.entity_id = sessions.id) <> 1`,
  ],
  [
    "has a change without exactly one event for other services",
    `select id from users where id in $ and version <> (select count(*) from recorded_events o where o.user_id = users.id
      and o.type in ('user.created', 'user.updated'))`,
  ],
  ["has an event that was not sent", "select user_id as id from outbox where user_id in $"],
  [
    "has a KYC that names a file which is not live",
    `select user_id as id from kyc where user_id in $ and (
      not exists (select 1 from kyc_documents d where d.id = front_document_id and d.state = 'live')
      or (back_document_id is not null and not exists (select 1 from kyc_documents d where d.id = back_document_id and d.state = 'live')))`,
  ],
  [
    "is a user whose kyc_status is not their KYC's",
    "select id from users where id in $ and kyc_status <> coalesce((select status from kyc where user_id = users.id), 'NOT_SUBMITTED')",
  ],
  [
    "is gone and left something personal",
    `select value as id from json_each(?1) where value not in (select id from users) and (
      exists (select 1 from sessions where user_id = value) or exists (select 1 from devices where user_id = value)
      or exists (select 1 from notifications where user_id = value) or exists (select 1 from profiles where user_id = value)
      or exists (select 1 from kyc_documents where user_id = value) or exists (select 1 from social_accounts where user_id = value)
      or exists (select 1 from audit_logs where user_id = value and (new_values is not null or ip is not null)
        and action <> 'DELETE'))`,
  ],
];

/** Invariants that these users violate; empty if all hold. */
export async function findViolations(scope: Scope): Promise<string[]> {
  const ids = await usersIn(scope);
  const list = JSON.stringify(ids);
  const found = await readAll(
    RULES.map(([, sql]) => [sql.replaceAll("in $", "in (select value from json_each(?1))"), list]),
  );
  const broken = RULES.flatMap(([rule], i) => (found[i] ?? []).map(({ id }) => `${id} ${rule}`));
  const unbalanced = (await unbalancedUsers(ids)).map(
    ({ id }) => `${id} has balances that are not their ledgers' sums`,
  );
  return [...broken, ...unbalanced, ...(scope.hasFiles ? await findStrayFiles(ids) : [])];
}

/** Files that a live row references and that are missing from the bucket. */
async function findStrayFiles(ids: readonly string[]): Promise<string[]> {
  const [live = []] = await readAll([
    [
      "select object_key as key from kyc_documents where state = 'live' and user_id in (select value from json_each(?1))",
      JSON.stringify(ids),
    ],
  ]);
  const heads = await Promise.all(
    live.map(async ({ key }) => [key, await testEnv.KYC_BUCKET.head(String(key))] as const),
  );
  return heads.filter(([, object]) => object === null).map(([key]) => `${key} is named and not there`);
}

/** Objects of these users that no live file of a submission references. */
export async function findOrphans(ids: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  for (const id of ids) {
    const { objects } = await testEnv.KYC_BUCKET.list({ prefix: `kyc/${id}/` });
    keys.push(...objects.map(({ key }) => key));
  }
  const [orphans = []] = await readAll([
    [
      `select value as key from json_each(?1) where not exists (select 1 from kyc_documents d join kyc k
        on d.id in (k.front_document_id, k.back_document_id) where d.object_key = value and d.state = 'live')`,
      JSON.stringify(keys),
    ],
  ]);
  return orphans.map(({ key }) => `${key} is named by nothing`);
}

/** Sealed codes stored beyond their expiry. */
export async function findSealedCodes(now: number): Promise<string[]> {
  const found = await readAll([
    ["select cid as id from otp_challenges where sealed_code is not null and expires_at <= ?1", now],
  ]);
  return found.flat().map(({ id }) => `${id} holds a sealed code`);
}

/** User counters that differ from the number of users. */
export async function findMiscounts(): Promise<string[]> {
  const [wrong = []] = await readAll([
    [
      `select key as status_bucket, value as count, (select count(*) from users where status_bucket = key) as n
        from user_counts, json_each(by_status_bucket) where value <> n`,
    ],
  ]);
  return wrong.map(({ status_bucket, count, n }) => `status bucket ${status_bucket}: ${count} counted, ${n} there`);
}
