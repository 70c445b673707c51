import { testEnv } from "../support/client.ts";

/** Other users, inserted with one statement per table. */
const CHUNK = 5_000;
const DAY_MS = 86_400_000;

/** SQL for a value of such a user's row: `i` is the user's number, `id` their id, `k` the number of the row. */
type Values = Record<string, string>;

interface Rows {
  table: string;
  /** SQL for the number of rows of user `i`. */
  each: number;
  /** SQL condition for the users that have any. */
  only?: string;
  values: Values;
}

/** A pseudo-random number below `most` for the user and a purpose. */
const draw = (purpose: number, most: string | number) =>
  `((i * 2654435761 + ${purpose} * 40503) % 1000003 % (${most}))`;
/** A time at least this number of milliseconds ago, and up to `spread` more. */
const ago = (now: number, least: number, spread: number, purpose: number) =>
  `(${now - least} - (((i * 7919 + k * 104729 + ${purpose} * 40503) % 1000003) * ${spread} / 1000003))`;
/** A UUIDv7 of the time, unique for the user, row and purpose. */
const idAt = (instant: string, purpose: number) =>
  `(substr(printf('%012x', ${instant}), 1, 8) || '-' || substr(printf('%012x', ${instant}), 9) || printf('-7%03x-8%03x-%012x', k % 4096, ${purpose}, i))`;
const json = (...pairs: string[]) => `json_object(${pairs.join(", ")})`;

/**
 * The data of two years of other users, and pending work of theirs that is not due, so that it does not add work to any
 * job.
 */
function rowsOf(now: number): Rows[] {
  const recent = (purpose: number) => ago(now, 60_000, 10 * 60_000, purpose);
  const week = (purpose: number) => ago(now, 120_000, 7 * DAY_MS, purpose);
  const year = (purpose: number) => ago(now, 30 * DAY_MS, 330 * DAY_MS, purpose);
  const network = "'172.' || (16 + i % 16) || '.' || (i / 16 % 256) || '.0/24'";
  return [
    {
      table: "profiles",
      each: 1,
      values: {
        user_id: "id",
        id: "'profile-' || i",
        full_name: "'Asha ' || i",
        profile_reminders: "9",
        kyc_reminders: "9",
      },
    },
    { table: "wallets", each: 1, values: { user_id: "id", balance_minor: "i % 5000", currency: "'NPR'" } },
    { table: "points", each: 1, values: { user_id: "id", current_points: "50", total_points: "50" } },
    { table: "user_statistics", each: 1, values: { user_id: "id", total_rentals: "5" } },
    {
      table: "point_transactions",
      each: 2,
      values: {
        id: idAt(year(1), 1),
        user_id: "id",
        delta: "25",
        reason: "'signup_bonus'",
        reference: "'r' || k",
        created_at: year(1),
      },
    },
    {
      table: "wallet_transactions",
      each: 3,
      values: {
        ...{ id: idAt(year(2), 2), user_id: "id", source: "'payments'", transaction_id: "'t-' || i || '-' || k" },
        ...{ transaction_type: "'TOPUP'", amount_minor: "100", wallet_delta_minor: "100", currency: "'NPR'" },
        ...{ occurred_at: year(2), created_at: year(2) },
      },
    },
    {
      table: "rentals",
      each: 3,
      values: {
        user_id: "id",
        rental_id: "'rental-' || i || '-' || k",
        started_at: year(3),
        returned_at: `iif(i % 50 = 0 and k = 1, null, ${year(3)})`,
      },
    },
    {
      table: "favorite_stations",
      each: 1,
      values: { user_id: "id", station_id: "'station-1'", is_favorite: "1", event_id: "'f' || i" },
    },
    {
      table: "sessions",
      each: 2,
      values: {
        ...{ id: idAt(week(4), 4), user_id: "id", created_at: week(4), last_used_at: week(4), refresh_key_id: "'k'" },
        ...{
          rotated_at: week(4),
          rotated_by: "''",
          idle_ttl_ms: `${60 * DAY_MS}`,
          ip: "'172.16.0.1'",
          method: "'OTP_PHONE'",
        },
        ...{ idle_expires_at: `${now + 53 * DAY_MS} + k`, absolute_expires_at: `${now + 83 * DAY_MS} + k` },
        ...{
          revoked_at: `iif(k = 1, null, ${week(4)})`,
          revoked_reason: "iif(k = 1, null, 'logout')",
          revoked_by: "iif(k = 1, null, 'by-' || i)",
        },
      },
    },
    {
      table: "devices",
      each: 1,
      values: {
        ...{
          id: "'device-' || i",
          user_id: "id",
          device_id: "'phone'",
          session_id: idAt(week(4), 4),
          fcm_token: "'push-of-' || i",
        },
        ...{ device_type: "'ANDROID'", is_active: "1" },
      },
    },
    {
      table: "notifications",
      each: 4,
      values: {
        ...{
          id: idAt(week(5), 5),
          user_id: "id",
          notification_type: "'PROFILE_REMINDER'",
          title: "'Title'",
          message: "'Words'",
        },
        ...{ read_at: `iif(k = 1, null, ${now})`, created_at: week(5) },
      },
    },
    {
      table: "audit_logs",
      each: 4,
      values: {
        ...{
          id: idAt(year(6), 6),
          user_id: "id",
          action: "'UPDATE'",
          entity_type: "'profile'",
          entity_id: "id",
          actor_id: "id",
        },
        ...{ old_values: json("'address'", "'Patan'"), new_values: json("'address'", "'Thimi'"), created_at: year(6) },
      },
    },
    {
      table: "processed_events",
      each: 2,
      values: { consumer: "'notify'", event_id: idAt(week(8), 8), processed_by: "''", processed_at: week(8) },
    },
    {
      table: "deliveries",
      each: 1,
      values: { event_id: idAt(week(9), 9), claimed_by: "''", claimed_until: week(9), delivered_at: week(9) },
    },
    {
      table: "dead_letters",
      each: 1,
      only: "i % 100 = 0",
      values: {
        id: idAt(week(10), 10),
        queue: "'tasks'",
        type: "'webhook.due'",
        user_id: "id",
        payload: "'{}'",
        reason: "'gone'",
        created_at: week(10),
      },
    },
    {
      table: "referrals",
      each: 1,
      only: "i > 0 and i % 10 = 0",
      values: {
        invitee_id: "id",
        inviter_id: "(select id from users where username_key = 'crowd-' || (i - 1))",
        status: "'PENDING'",
        created_at: year(11),
      },
    },
    {
      table: "social_accounts",
      each: 1,
      only: "i % 4 = 0",
      values: {
        issuer: "'https://accounts.google.com'",
        subject: "'crowd-' || i",
        provider: "'GOOGLE'",
        user_id: "id",
        identity_hash: "'crowd-' || i",
        linked_by: "''",
      },
    },
    {
      table: "passkeys",
      each: 2,
      only: "i % 2 = 0",
      values: {
        ...{ id: idAt(year(24), 24), user_id: "id", credential_id: "'credential-' || i || '-' || k", counter: "1" },
        ...{ created_at: year(24), last_used_at: week(24) },
      },
    },
    {
      table: "passkey_uses",
      each: 1,
      only: "i % 10 = 0",
      values: { challenge: "'challenge-' || i", used_for: "'LOGIN'", used_at: recent(25), session_id: "'s-' || i" },
    },
    {
      table: "identity_changes",
      each: 1,
      only: "i % 10 = 0",
      values: {
        ...{
          id: idAt(week(26), 26),
          user_id: "id",
          number: "1",
          kind: "'phone'",
          old_identifier: "'+97796' || printf('%08d', i)",
        },
        ...{ new_identifier: "phone", proved_by: "'PHONE'", is_proved_by_old: "1", created_at: week(26) },
      },
    },
    {
      table: "social_proofs",
      each: 1,
      only: "i % 50 = 0",
      values: { proof_hash: "'proof-' || i", created_at: recent(12), expires_at: `${now + 60_000}` },
    },
    {
      table: "social_states",
      each: 1,
      only: "i % 50 = 0",
      values: { state_hash: "'state-' || i", expires_at: `${now + 60_000}` },
    },
    {
      table: "kyc",
      each: 1,
      only: "i % 3 = 0",
      values: {
        ...{
          user_id: "id",
          id: "'kyc-' || i",
          document_number_index: "'number-' || i",
          front_document_id: "'front-' || i",
        },
        ...{
          status: "case i % 9 when 0 then 'PENDING' when 3 then 'REJECTED' else 'APPROVED' end",
          version: "1",
          reminded_version: "1",
        },
        ...{ submitted_at: year(13), updated_at: week(13), created_at: year(13) },
      },
    },
    {
      table: "kyc_documents",
      each: 2,
      only: "i % 3 = 0",
      values: {
        ...{
          id: "iif(k = 1, 'front-', 'back-') || i",
          user_id: "id",
          side: "iif(k = 1, 'front', 'back')",
          object_key: "'kyc/' || id || '/' || k",
        },
        ...{ content_type: "'image/jpeg'", size_bytes: "7", state: "'live'", created_at: year(14) },
      },
    },
    {
      table: "kyc_uploads",
      each: 1,
      only: "i % 20 = 0",
      values: { id: "'upload-' || i", user_id: "id", counts: "1", created_at: recent(23) },
    },
    {
      table: "kyc_document_views",
      each: 1,
      only: "i % 3 = 0",
      values: { document_id: "'front-' || i", viewer_id: "'viewer'", viewed_at: year(15) },
    },
    {
      table: "otp_challenges",
      each: 2,
      only: "i % 10 = 0",
      values: {
        ...{
          cid: `printf('%012x', ${recent(16)}) || 'challenge-' || i || '-' || k`,
          identifier: "phone",
          network,
          network_rank: "1",
          network_class: "'other'",
          created_at: recent(16),
        },
        ...{
          expires_at: `${now + 120_000}`,
          consumed_by: "iif(k = 1, null, 'c')",
          consumed_at: `iif(k = 1, null, ${now})`,
          consumed_network: `iif(k = 1, null, ${network})`,
          used_by: "iif(k = 1 or i % 20 = 0, null, 'u')",
          used_at: `iif(k = 1 or i % 20 = 0, null, ${now})`,
          session_id: "iif(k = 1 or i % 20 = 0, null, 's-' || i)",
        },
      },
    },
    {
      table: "otp_network_guards",
      each: 1,
      only: "i % 10 = 0",
      values: { identifier: "phone", network, failures: "'[]'", last_guess_at: week(17) },
    },
    {
      table: "otp_class_guards",
      each: 1,
      only: "i % 10 = 0",
      values: { identifier: "phone", network_class: "'other'", failures: "'[]'", last_guess_at: week(18) },
    },
    {
      table: "network_guess_limits",
      each: 1,
      only: "i % 10 = 0",
      values: { network: `${network} || i`, window_started_at: recent(19), guesses: "1" },
    },
    {
      table: "familiar_networks",
      each: 2,
      values: { identifier: "phone", network: `${network} || k`, last_sign_in_at: week(20) },
    },
    {
      table: "idempotency_keys",
      each: 1,
      only: "i % 5 = 0",
      values: { key_hash: "'key-' || i", body_hash: "'b'", result_id: "'r'", expires_at: `${now + DAY_MS}` },
    },
    {
      table: "sms_send_limits",
      each: 1,
      only: "i % 20 = 0",
      values: {
        scope: "'network'",
        key: `${network} || i`,
        window_ends_at: `${now + 3_000_000}`,
        sends: "1",
        recent_ends_at: "0",
      },
    },
    {
      table: "analytics_reports",
      each: 1,
      only: "i % 50 = 0",
      values: { user_id: "id", report: "'{}'", created_at: `${now}`, expires_at: `${now + 3_600_000}` },
    },
    {
      table: "local_outbox",
      each: 1,
      only: "i % 10 = 0",
      values: { id: idAt(week(22), 22), channel: "'sms'", recipient: "phone", text: "'code'", created_at: week(22) },
    },
  ];
}

function usersAt(now: number): Values {
  const joined = `(${now - 20 * DAY_MS} - ${draw(30, 700)} * ${DAY_MS} - i)`;
  return {
    id: "'0' || substr(printf('%012x', i * 7919 % 1000003 + 1500000000000), 2, 7) || printf('-0000-7000-8000-%012x', i)",
    username: "'crowd-' || i",
    username_key: "'crowd-' || i",
    email: "iif(i % 3 = 0, 'crowd' || i || '@example.org', null)",
    phone_number: "'+97797' || printf('%08d', i)",
    email_verified: "i % 3 = 0",
    phone_verified: "1",
    referral_code: "'CROWD' || i",
    status: "case when i % 100 = 0 then 'BANNED' when i % 4 = 0 then 'INACTIVE' else 'ACTIVE' end",
    status_reason: "case when i % 100 = 0 then 'staff' when i % 4 = 0 then 'inactivity' end",
    role: "'user'",
    social_provider: "'PHONE'",
    locale: "'en'",
    date_joined: joined,
    last_login: `(${now - DAY_MS} - ${draw(31, 100)} * ${DAY_MS} - i)`,
    last_activity_at: `${now - DAY_MS}`,
    updated_at: `(${now - DAY_MS} - ${draw(32, 300)} * ${DAY_MS} - i)`,
    version: "1",
  };
}

/** Required columns for which any value will do. */
async function columnsOf(database: D1Database, table: string) {
  const { results } = await database
    .prepare(`select name, type from pragma_table_xinfo(?) where "notnull" = 1 and dflt_value is null and hidden = 0`)
    .bind(table)
    .all<{ name: string; type: string }>();
  return results;
}

async function insertInto(table: string, given: Values, from: (values: string) => string, database = testEnv.DB) {
  const needed = await columnsOf(database, table);
  const values: Values = Object.fromEntries(
    needed.map(({ name, type }) => [name, /int/i.test(type) ? "0" : `'x'`] as const),
  );
  const all = Object.entries({ ...values, ...given });
  const names = all.map(([name]) => `"${name}"`).join(", ");
  await database.prepare(`insert into "${table}" (${names}) ${from(all.map(([, value]) => value).join(", "))}`).run();
}

/** Increases the number of other users from `from` to `to`, with all their data. */
export async function growCrowd(from: number, to: number, now: number): Promise<void> {
  for (let first = from; first < to; first += CHUNK) {
    const last = Math.min(first + CHUNK, to);
    const people = `with recursive n(i) as (select ${first} union all select i + 1 from n where i + 1 < ${last})`;
    await insertInto("users", usersAt(now), (values) => `${people} select ${values} from n`);
    const owned = `people as (select i, id, phone_number as phone from n join users on users.username_key = 'crowd-' || i)`;
    for (const { table, each, only = "true", values } of rowsOf(now)) {
      const times = Array.from({ length: each }, (_, at) => `(${at + 1})`).join(", ");
      const source = `${people}, times(k) as (values ${times}), ${owned}`;
      await insertInto(table, values, (list) => `${source} select ${list} from people, times where ${only}`);
    }
    await growSearch(people);
  }
}

/** Search text and sort keys as the projection writes them. */
async function growSearch(people: string): Promise<void> {
  const text = "(char(10) || char(10) || 'crowd-' || i || char(10) || char(10) || '97' || printf('%08d', i))";
  const id = usersAt(0).id ?? "";
  await insertInto(
    "search_entries",
    {
      sort_key: "5000000 + i",
      user_id: id,
      version: "1",
      text,
      phone_number: "'+97797' || printf('%08d', i)",
      status_bucket: "1",
      written_by: "'crowd'",
    },
    (values) => `${people} select ${values} from n`,
    testEnv.SEARCH_DB,
  );
  await testEnv.SEARCH_DB.prepare(
    `${people.replace("with", "insert into user_search (rowid, text) with")} select 5000000 + i, ${text} from n`,
  ).run();
}

/** A user with a long history of their own. */
export async function growHistory(userId: string, from: number, to: number, now: number): Promise<void> {
  const counted = `with recursive n(i) as (select ${from} union all select i + 1 from n where i + 1 < ${to})`;
  const own = `people as (select i + 50000000 as i, '${userId}' as id, '' as phone from n)`;
  const histories = [
    "point_transactions",
    "wallet_transactions",
    "rentals",
    "notifications",
    "audit_logs",
    "favorite_stations",
  ];
  for (const { table, values } of rowsOf(now)) {
    if (!histories.includes(table)) continue;
    const given =
      table === "favorite_stations"
        ? { ...values, station_id: "'station-' || i" }
        : { ...values, ...(table === "point_transactions" ? { reference: "'h' || i" } : {}) };
    await insertInto(
      table,
      given,
      (list) => `${counted}, times(k) as (values (2)), ${own} select ${list} from people, times`,
    );
  }
}
