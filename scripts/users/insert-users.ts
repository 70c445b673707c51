import { randomBytes } from "node:crypto";
import { v7 as uuidv7 } from "uuid";
import { CURRENCY } from "../../src/nepal.ts";
import { firstIdAt } from "../../src/platform/uuid.ts";
import { quote } from "../inline.ts";
import type { ImportedUser } from "./user-record.ts";

/** Source of the ledger rows with the balances that users bring. */
const SOURCE = "users-import";
/** Bytes of one statement: D1 accepts 100 KB (developers.cloudflare.com/d1/platform/limits). */
const BYTES_PER_STATEMENT = 90_000;

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

type Value = string | number | boolean | null;
type Row = Record<string, Value>;

/**
 * The statements of one transaction that insert the users with everything that belongs to an account. It fails if one
 * of them exists already. Balances come with ledger rows, and the signup bonus counts as granted. No events are
 * recorded, so webhooks do not report imported users.
 */
export function insertUsers(users: readonly ImportedUser[], { label, startedAt: now }: ImportRun): string[] {
  const newId = () => uuidv7({ msecs: now });
  const provider = ({ phone_number }: ImportedUser) => (phone_number === null ? "EMAIL" : "PHONE");
  const entry = ({ id }: ImportedUser, source: string, reason: string, reference: string, delta: number): Row => {
    const at = { created_at: now, source };
    return { id: newId(), user_id: id, delta, reason, reference, ...at };
  };
  const tables: Record<string, Row[]> = {
    users: users.map((user) => ({
      id: user.id,
      username: user.username,
      username_key: user.usernameKey,
      email: user.email,
      phone_number: user.phone_number,
      email_verified: user.email_verified,
      phone_verified: user.phone_verified,
      profile_picture: user.profile_picture,
      referral_code: user.referral_code,
      status: user.status,
      status_reason: user.status_reason,
      role: "user",
      social_provider: provider(user),
      locale: user.locale,
      date_joined: user.dateJoined,
      last_login: user.lastLogin,
      last_activity_at: user.lastLogin,
      updated_at: now,
      version: 1,
    })),
    audit_logs: users.map((user) => {
      const values = {
        username: user.username,
        social_provider: provider(user),
        import: label,
        legacy_id: user.legacyId,
      };
      const entity = { action: "CREATE", entity_type: "user", entity_id: user.id };
      return {
        id: newId(),
        user_id: user.id,
        ...entity,
        new_values: JSON.stringify(values),
        by_staff: true,
        created_at: now,
      };
    }),
    profiles: users.map((user) => ({
      user_id: user.id,
      id: newId(),
      full_name: user.full_name,
      date_of_birth: user.date_of_birth,
      address: user.address,
      avatar_url: user.avatar_url,
      // All reminders count as sent.
      profile_reminders: 3,
      kyc_reminders: 2,
      created_at: user.dateJoined,
      updated_at: now,
    })),
    wallets: users.map(({ id, balanceMinor }) => ({
      user_id: id,
      balance_minor: balanceMinor,
      currency: CURRENCY,
      updated_at: now,
    })),
    wallet_transactions: users
      .filter(({ balanceMinor }) => balanceMinor !== 0)
      .map(({ id, balanceMinor }) => ({
        id: newId(),
        user_id: id,
        source: SOURCE,
        transaction_id: id,
        transaction_type: balanceMinor < 0 ? "RENTAL_DUE" : "REFUND",
        amount_minor: Math.abs(balanceMinor),
        wallet_delta_minor: balanceMinor,
        currency: CURRENCY,
        occurred_at: now,
        created_at: now,
      })),
    points: users.map(({ id, current_points, total_points }) => ({
      user_id: id,
      current_points,
      total_points,
      updated_at: now,
    })),
    point_transactions: users.flatMap((user) => {
      const spent = user.total_points - user.current_points;
      return [
        entry(user, "users", "signup_bonus", "signup", 0),
        ...(user.total_points > 0 ? [entry(user, SOURCE, "earned before", "opening", user.total_points)] : []),
        ...(spent > 0 ? [entry(user, SOURCE, "spent before", "opening", -spent)] : []),
      ];
    }),
  };
  return Object.entries(tables).flatMap(([table, rows]) => insertInto(table, rows));
}

/** Statements that insert the rows, which all have the same columns. */
function insertInto(table: string, rows: readonly Row[]): string[] {
  const head = `insert into ${table} (${Object.keys(rows[0] ?? {}).join(", ")}) values `;
  const statements: string[] = [];
  let [chunk, bytes] = [[] as string[], head.length];
  const flush = () => {
    if (chunk.length > 0) statements.push(head + chunk.join());
    [chunk, bytes] = [[], head.length];
  };
  for (const row of rows) {
    const values = `(${Object.values(row).map(literal).join()})`;
    const size = Buffer.byteLength(values) + 1;
    if (bytes + size > BYTES_PER_STATEMENT) flush();
    chunk.push(values);
    bytes += size;
  }
  flush();
  return statements;
}

const literal = (value: Value) =>
  value === null ? "null" : typeof value === "string" ? quote(value) : String(Number(value));

/** SQL that reads what the run inserted, from the accounts themselves. */
export const totalsOf = ({ label, startedAt }: ImportRun) => `select count(*) as users,
    coalesce(sum(w.balance_minor), 0) as balance, coalesce(sum(p.current_points), 0) as current,
    coalesce(sum(p.total_points), 0) as total
  from audit_logs a join users u on u.id = a.user_id join wallets w on w.user_id = u.id join points p on p.user_id = u.id
  where a.id >= ${quote(firstIdAt(startedAt))} and a.id < ${quote(firstIdAt(startedAt + 1))}
    and a.action = 'CREATE' and a.new_values ->> 'import' = ${quote(label)}`;
