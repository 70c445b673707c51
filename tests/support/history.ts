import { testEnv } from "./client.ts";

/** A user's history: the number of rows per table, and a word that all its personal data contains. */
export interface History {
  rows: number;
  word: string;
}

/** Tables that may hold many rows per user, with the values that `insertHistory` inserts. */
const tables: Readonly<Record<string, string>> = {
  audit_logs: `insert into audit_logs (id, user_id, action, entity_type, entity_id, old_values, new_values, actor_id, by_staff,
    ip, user_agent, created_at) select ID, USER, 'UPDATE', 'profile', USER, OBJECT, OBJECT, USER, 0, WORD, WORD, 1900000000000`,
  notifications: `insert into notifications (id, user_id, notification_type, title, message, created_at)
    select ID, USER, 'T', WORD, WORD, 1900000000000`,
  sessions: `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
    idle_ttl_ms, idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, ip, user_agent, method)
    select ID, USER, 1, 1, 0, 'k', 1, 'r', 0, 1, 1, 1, 1900000000000, 'logout', WORD, WORD, 'OTP_PHONE'`,
  rentals: "insert into rentals (user_id, rental_id, started_at, returned_at) select USER, ID || WORD, 1, 2",
  favorite_stations: `insert into favorite_stations (user_id, station_id, is_favorite, changed_at, event_id)
    select USER, ID || WORD, 1, 1, 'e'`,
  wallet_transactions: `insert into wallet_transactions (id, user_id, source, transaction_id, transaction_type, amount_minor,
    wallet_delta_minor, currency, occurred_at, created_at) select ID, USER, 'pay', ID, 'TOPUP', 0, 0, 'NPR', 1, 1`,
  point_transactions: `insert into point_transactions (id, user_id, delta, reason, reference, created_at)
    select ID, USER, 0, 'referral', 'invitee ' || ID, 1`,
  dead_letters: `insert into dead_letters (id, queue, event_id, type, user_id, payload, reason, attempts, created_at)
    select ID, 'tasks', ID, 't', USER, OBJECT, 'r', 1, 1900000000000`,
};

/** Inserts a history for the user with `rows` rows per table. */
export async function insertHistory(userId: string, { rows, word }: History): Promise<void> {
  const statements = Object.values(tables).map((insert) => {
    const text = insert
      .replaceAll("OBJECT", "json_object('full_name', WORD)")
      .replaceAll("USER", "?1")
      .replaceAll("WORD", "?2")
      .replaceAll(/\bID\b/g, "lower(hex(randomblob(16)))");
    return testEnv.DB.prepare(
      `${text.replace(" select ", " with recursive n(i) as (select 1 union all select i + 1 from n where i < ?3) select ")} from n
        where ?2 is not null`,
    ).bind(userId, word, rows);
  });
  await testEnv.DB.batch(statements);
}

/** Number of rows that still reference the user, by table; tables without any are omitted. */
export async function historyOf(userId: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of Object.keys(tables)) {
    const row = await testEnv.DB.prepare(`select count(*) as n from ${table} where user_id = ?`)
      .bind(userId)
      .first<{ n: number }>();
    if (row?.n) counts[table] = row.n;
  }
  return counts;
}
