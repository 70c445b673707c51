import { randomBytes } from "node:crypto";
import { v7 as uuidv7 } from "uuid";
import { CURRENCY } from "../../src/nepal.ts";
import { firstIdAt } from "../../src/platform/uuid.ts";
import { quote } from "../inline.ts";
import type { ImportedUser } from "./user-record.ts";

/** Source of the ledger rows with the balances that users bring. */
const SOURCE = "users-import";
/**
 * Bytes of users in one statement: D1 accepts statements of 100 KB (developers.cloudflare.com/d1/platform/limits), and a
 * quotation mark in a text is doubled.
 */
const BYTES_PER_STATEMENT = 60_000;

/** One run of the import. */
export interface ImportRun {
  /** Marks the audit rows of the run. */
  label: string;
  startedAt: number;
}

export const newImportRun = (now: number): ImportRun => ({ label: randomBytes(8).toString("hex"), startedAt: now });

/** What a run inserted, or was to insert. */
export interface Totals {
  users: number;
  balanceMinor: number;
  currentPoints: number;
  totalPoints: number;
}

export const noTotals = (): Totals => ({ users: 0, balanceMinor: 0, currentPoints: 0, totalPoints: 0 });

/** Adds the users to the totals. */
export function addTotals(totals: Totals, users: readonly ImportedUser[]): void {
  totals.users += users.length;
  for (const { balanceMinor, current_points, total_points } of users) {
    totals.balanceMinor += balanceMinor;
    totals.currentPoints += current_points;
    totals.totalPoints += total_points;
  }
}

/**
 * SQL that inserts the users with everything that belongs to an account, in the order of one transaction. Users that
 * exist already are left as they are, so the statements can run twice. Balances come with ledger rows, and the signup
 * bonus counts as granted. No events are recorded: webhooks do not report imported users.
 */
export function insertUsers(users: readonly ImportedUser[], run: ImportRun): string[] {
  const newId = () => uuidv7({ msecs: run.startedAt });
  const statements: string[] = [];
  let [chunk, bytes] = [[] as string[], 0];
  const flush = () => {
    if (chunk.length > 0) statements.push(...insertChunk(`[${chunk.join()}]`, run));
    [chunk, bytes] = [[], 0];
  };
  for (const user of users) {
    const entries = [newId(), newId(), newId(), newId()];
    const row = JSON.stringify({ ...user, audit: newId(), profile: newId(), entries });
    const size = Buffer.byteLength(row);
    if (bytes + size > BYTES_PER_STATEMENT) flush();
    chunk.push(row);
    bytes += size;
  }
  flush();
  return statements;
}

/** @param rows a JSON array of users with the ids of their rows. */
function insertChunk(rows: string, { label, startedAt: now }: ImportRun): string[] {
  const given = `json_each(${quote(rows)})`;
  const of = (name: string) => `value ->> '${name}'`;
  const isNew = `exists (select 1 from audit_logs where id = ${of("audit")})`;
  const entry = (nth: number, source: string, reason: string, reference: string, delta: string, condition: string) =>
    `insert into point_transactions (id, user_id, delta, reason, reference, created_at, source)
      select value ->> '$.entries[${nth}]', ${of("id")}, ${delta}, '${reason}', '${reference}', ${now}, '${source}'
      from ${given} where ${isNew} and ${condition}`;
  return [
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, new_values, by_staff, created_at)
      select ${of("audit")}, ${of("id")}, 'CREATE', 'user', ${of("id")}, json_object('username', ${of("username")},
          'social_provider', case when ${of("phone_number")} is null then 'EMAIL' else 'PHONE' end,
          'import', '${label}', 'legacy_id', ${of("legacyId")}), 1, ${now}
        from ${given} where not exists (select 1 from users where id = ${of("id")})`,
    `insert into users (id, username, username_key, email, phone_number, email_verified, phone_verified, profile_picture,
        referral_code, status, status_reason, role, social_provider, locale, date_joined, last_login, last_activity_at,
        updated_at, version)
      select ${of("id")}, ${of("username")}, ${of("usernameKey")}, ${of("email")}, ${of("phone_number")},
        ${of("email_verified")}, ${of("phone_verified")}, ${of("profile_picture")}, ${of("referral_code")},
        ${of("status")}, ${of("status_reason")}, 'user',
        case when ${of("phone_number")} is null then 'EMAIL' else 'PHONE' end, ${of("locale")}, ${of("dateJoined")},
        ${of("lastLogin")}, ${of("lastLogin")}, ${now}, 1 from ${given} where ${isNew}`,
    // All reminders count as sent.
    `insert into profiles (user_id, id, full_name, date_of_birth, address, avatar_url, profile_reminders, kyc_reminders,
        created_at, updated_at)
      select ${of("id")}, ${of("profile")}, ${of("full_name")}, ${of("date_of_birth")}, ${of("address")},
        ${of("avatar_url")}, 3, 2, ${of("dateJoined")}, ${now} from ${given} where ${isNew}`,
    `insert into wallets (user_id, balance_minor, currency, updated_at)
      select ${of("id")}, ${of("balanceMinor")}, '${CURRENCY}', ${now} from ${given} where ${isNew}`,
    `insert into wallet_transactions (id, user_id, source, transaction_id, transaction_type, amount_minor,
        wallet_delta_minor, currency, occurred_at, created_at)
      select value ->> '$.entries[0]', ${of("id")}, '${SOURCE}', ${of("id")},
        case when ${of("balanceMinor")} < 0 then 'RENTAL_DUE' else 'REFUND' end, abs(${of("balanceMinor")}),
        ${of("balanceMinor")}, '${CURRENCY}', ${now}, ${now} from ${given} where ${isNew} and ${of("balanceMinor")} <> 0`,
    `insert into points (user_id, current_points, total_points, updated_at)
      select ${of("id")}, ${of("current_points")}, ${of("total_points")}, ${now} from ${given} where ${isNew}`,
    entry(1, "users", "signup_bonus", "signup", "0", "true"),
    entry(2, SOURCE, "earned before", "opening", of("total_points"), `${of("total_points")} > 0`),
    entry(
      3,
      SOURCE,
      "spent before",
      "opening",
      `${of("current_points")} - (${of("total_points")})`,
      `${of("current_points")} < ${of("total_points")}`,
    ),
  ];
}

/** SQL that reads what the run inserted, from the accounts themselves. */
export const totalsOf = ({ label, startedAt }: ImportRun) => `select count(*) as users,
    coalesce(sum(w.balance_minor), 0) as balance, coalesce(sum(p.current_points), 0) as current,
    coalesce(sum(p.total_points), 0) as total
  from audit_logs a join users u on u.id = a.user_id join wallets w on w.user_id = u.id join points p on p.user_id = u.id
  where a.id >= ${quote(firstIdAt(startedAt))} and a.id < ${quote(firstIdAt(startedAt + 1))}
    and a.action = 'CREATE' and a.new_values ->> 'import' = ${quote(label)}`;

/** SQL that makes `rebuild_user_search` due: the cron then adds the users to the search. */
export const rebuildDue = ({ startedAt }: ImportRun) => `insert or ignore into job_runs
    (name, period_started_at, chunks, processed, leased_until) values ('rebuild_user_search', ${startedAt}, 0, 0, 0)`;
