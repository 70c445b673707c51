import { closeSync, openSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as letSignalsArrive } from "node:timers/promises";
import { formatMinor } from "../../src/platform/money.ts";
import { removeUnlessDone } from "../operations/unfinished.ts";
import type { UserRecord } from "./user-record.ts";

/** Characters written to the file at once. */
const BUFFER = 1_000_000;

/**
 * Writes every user of a copy of the primary as one line of JSON, in the order of their ids, in the form that the import
 * reads. If that fails, no file is left, which would look like an export.
 *
 * @returns the number of users.
 * @throws Error if the file exists already.
 */
export async function exportUsers(primary: string, file: string, onProgress: (users: number) => void): Promise<number> {
  const out = openSync(file, "wx", 0o600);
  return await removeUnlessDone(file, () => writeUsers(primary, out, onProgress));
}

async function writeUsers(primary: string, out: number, onProgress: (users: number) => void): Promise<number> {
  const database = new DatabaseSync(primary, { readOnly: true });
  try {
    const users = database
      .prepare(`select u.*, f.full_name, f.date_of_birth, f.address, f.avatar_url, w.balance_minor, p.current_points,
        p.total_points from users u left join profiles f on f.user_id = u.id left join wallets w on w.user_id = u.id
        left join points p on p.user_id = u.id order by u.id`)
      .iterate();
    let [count, pending] = [0, ""];
    for (const row of users) {
      pending += `${JSON.stringify(recordOf(row))}\n`;
      count += 1;
      if (count % 10_000 === 0) {
        onProgress(count);
        await letSignalsArrive();
      }
      if (pending.length < BUFFER) continue;
      writeSync(out, pending);
      pending = "";
    }
    writeSync(out, pending);
    return count;
  } finally {
    closeSync(out);
    database.close();
  }
}

type Row = Record<string, unknown>;

function recordOf(row: Row): UserRecord {
  const text = (name: string) => (row[name] === null ? null : String(row[name]));
  const instant = (name: string) => (row[name] === null ? null : new Date(Number(row[name])).toISOString());
  return {
    id: String(row.id),
    username: String(row.username),
    email: text("email"),
    phone_number: text("phone_number"),
    email_verified: row.email_verified === 1,
    phone_verified: row.phone_verified === 1,
    full_name: text("full_name"),
    date_of_birth: text("date_of_birth"),
    address: text("address"),
    profile_picture: text("profile_picture"),
    avatar_url: text("avatar_url"),
    locale: row.locale as UserRecord["locale"],
    status: row.status as UserRecord["status"],
    status_reason: row.status_reason as UserRecord["status_reason"],
    referral_code: String(row.referral_code),
    date_joined: instant("date_joined") ?? "",
    last_login: instant("last_login"),
    wallet_balance: formatMinor(Number(row.balance_minor ?? 0)),
    current_points: Number(row.current_points ?? 0),
    total_points: Number(row.total_points ?? 0),
  };
}
