import { sortKeyOf } from "../../../src/staff/directory/search-sort-key.ts";
import { searchTextOf } from "../../../src/staff/directory/search-text.ts";
import { type Check, check, checkNone, differenceOf, type Evidence, rowsBy } from "./proof.ts";
import type { ServerLog } from "./server-log.ts";

/** Derived data: counts, events and search. */
export function proveProjections({ users: query, search, people, journal, log }: Evidence): Check[] {
  const buckets = rowsBy(
    query("select status_bucket, count(*) as n from users group by status_bucket"),
    "status_bucket",
  );
  const entries = rowsBy(search("select * from search_entries"), "user_id");
  const indexed = new Set(search("select rowid from user_search").map(({ rowid }) => rowid));
  const deadLetters = query("select id, queue, type, reason, user_id from dead_letters");

  return [
    check(
      "the directory's counts are exact",
      query("select key as status_bucket, value as count from user_counts, json_each(by_status_bucket)"),
      ({ status_bucket, count }) =>
        differenceOf(`status bucket ${status_bucket}`, count, buckets.get(status_bucket)?.[0]?.n ?? 0),
    ),
    check("each event was published and processed", query("select id, type, is_sent from recorded_events"), (row) =>
      unprocessed(row, log),
    ),
    check(
      "the search entries equal the users",
      query(`select users.id, version, username_key, email, phone_number, full_name, status_bucket, date_joined
        from users left join profiles on profiles.user_id = users.id`),
      (row) => {
        const entry = entries.get(row.id)?.[0];
        const phoneNumber = row.phone_number === null ? null : String(row.phone_number);
        const text = searchTextOf({
          usernameKey: String(row.username_key),
          email: row.email === null ? null : String(row.email),
          phoneNumber,
          fullName: row.full_name === null ? null : String(row.full_name),
        });
        const near = Number(entry?.sort_key) - sortKeyOf({ id: String(row.id), dateJoined: Number(row.date_joined) });
        return differenceOf(
          String(row.id),
          [
            entry?.version,
            entry?.text,
            entry?.phone_number,
            entry?.status_bucket,
            near >= 0 && near < 4096,
            indexed.has(entry?.sort_key ?? null),
          ],
          [row.version, text, phoneNumber ?? "", row.status_bucket, true, true],
        );
      },
    ),
    check("the search finds no deleted user", people, ({ userId, isDeleted }) => {
      const [entry] = entries.get(userId) ?? [];
      if (!isDeleted || !entry) return undefined;
      return differenceOf(userId, [entry.text, indexed.has(entry.sort_key ?? null)], ["", false]);
    }),
    check("dead letters are exactly those of invalid events", [deadLetters.length], (count) =>
      count === journal.invalidEvents
        ? undefined
        : `${count} instead of ${journal.invalidEvents}: ${JSON.stringify(deadLetters.slice(0, 5))}`,
    ),
    checkNone(
      "no message to a user was sent twice",
      query(`select event_id, attempts from deliveries where attempts > 1 or delivered_at is null
        union all select cid, send_attempts from otp_challenges where send_attempts > 1 or delivered_at is null`),
    ),
  ];
}

/** Why an event, a row of `recorded_events`, has not been fully processed; undefined if it has. */
export function unprocessed(row: Record<string, unknown>, log: ServerLog): string | undefined {
  if (row.is_sent === 0) return `${row.type} ${row.id} was not published`;
  const isIn = (task?: string) => (task ? log.done.has(`${task} ${row.id}`) : log.eventsDone.has(String(row.id)));
  if (!isIn()) return `${row.type} ${row.id} was not processed`;
  const isOfSearch = ["user.created", "user.updated", "user.deleted"].includes(String(row.type));
  return isOfSearch && !isIn("update_user_search") ? `${row.type} ${row.id} did not reach the search` : undefined;
}
