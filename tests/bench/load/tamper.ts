import { DatabaseSync } from "node:sqlite";
import { databaseWith, type Row } from "./databases.ts";
import { type Check, type Evidence, prove } from "./proof.ts";

interface Harm {
  what: string;
  store: "users" | "search" | "bucket";
  sql: string;
  /** The subject of the statement, if the databases do not show it. */
  about?: (evidence: Evidence) => string | undefined;
}

/** The losses and duplicates that the checks must find, as they would appear in a database. */
const harms: Harm[] = [
  { what: "a lost user", store: "users", sql: "delete from users where id = (select max(id) from users)" },
  { what: "a lost session", store: "users", sql: "delete from sessions where id = (select max(id) from sessions)" },
  {
    what: "a session that was not ended",
    store: "users",
    sql: "update sessions set revoked_at = null where id = (select max(id) from sessions where revoked_at is not null)",
  },
  {
    what: "a duplicated rotation",
    store: "users",
    sql: "update sessions set counter = counter + 1 where id = (select min(id) from sessions)",
  },
  {
    what: "a duplicated audit row",
    store: "users",
    sql: `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
      select id || '-', user_id, action, entity_type, entity_id, by_staff, created_at from audit_logs limit 1`,
  },
  {
    what: "a lost audit row",
    store: "users",
    sql: "delete from audit_logs where id = (select max(id) from audit_logs)",
  },
  {
    what: "a payment counted twice",
    store: "users",
    sql: "update wallets set balance_minor = balance_minor + 1 where user_id = (select max(user_id) from wallets)",
  },
  {
    what: "a second signup bonus",
    store: "users",
    sql: "update points set current_points = current_points + 50 where user_id = (select max(user_id) from points)",
  },
  {
    what: "a lost ledger row",
    store: "users",
    sql: `delete from point_transactions where id = (select max(p.id) from point_transactions p join users u on u.id = p.user_id)`,
  },
  {
    what: "a rental counted twice",
    store: "users",
    sql: "update user_statistics set total_rentals = total_rentals + 1 where user_id = (select max(user_id) from user_statistics)",
  },
  {
    what: "a lost platform event",
    store: "users",
    sql: "delete from processed_events where event_id = ?",
    // A deleted account has no data that could be missing.
    about: ({ people }) => people.find(({ isDeleted, eventIds }) => !isDeleted && eventIds.length > 0)?.eventIds[0],
  },
  {
    what: "an event that was not published",
    store: "users",
    sql: `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
      select id, type, user_id, payload, queue, created_at, 0, 1 from sent_events order by id desc limit 1`,
  },
  {
    what: "a wrong count",
    store: "users",
    sql: "update user_counts set by_status_bucket = json_set(by_status_bucket, '$[0]', (by_status_bucket ->> 0) + 1)",
  },
  {
    what: "a file that no KYC references",
    store: "users",
    sql: "update kyc_documents set state = 'replaced' where id = (select max(id) from kyc_documents where state = 'live')",
  },
  {
    what: "a lost profile change",
    store: "users",
    sql: "update profiles set address = '-' where user_id = (select max(user_id) from profiles)",
  },
  {
    what: "a message sent twice",
    store: "users",
    sql: "update otp_challenges set send_attempts = 2 where cid = (select max(cid) from otp_challenges)",
  },
  {
    what: "a search entry left behind",
    store: "search",
    sql: "update search_entries set version = 0 where sort_key = (select max(sort_key) from search_entries where removed_at is null)",
  },
  {
    what: "a user missing in the index",
    store: "search",
    sql: "delete from user_search where rowid = (select max(sort_key) from search_entries where removed_at is null)",
  },
  { what: "a lost file", store: "bucket", sql: "delete from _mf_objects" },
];

/**
 * Applies each damage to the databases in a transaction that is rolled back, and verifies that the checks fail: a check
 * that cannot fail proves nothing. Requires that all checks passed and the server has stopped.
 */
export function checkProof(persist: string, evidence: Evidence): Check {
  const stores = {
    users: new DatabaseSync(databaseWith(persist, "d1", "users")),
    search: new DatabaseSync(databaseWith(persist, "d1", "search_entries")),
    bucket: new DatabaseSync(databaseWith(persist, "r2", "_mf_objects")),
  };
  const violations: string[] = [];
  for (const { what, store, sql, about } of harms) {
    const database = stores[store];
    database.exec("begin");
    const isDone = Number(database.prepare(sql).run(...(about ? [about(evidence) ?? null] : [])).changes) > 0;
    const query: Evidence["users"] = (text, ...values) => database.prepare(text).all(...values) as Row[];
    const isFound = prove({ ...evidence, [store]: query }).some((check) => check.violations.length > 0);
    database.exec("rollback");
    if (!isDone) violations.push(`${what}: there was nothing to change`);
    else if (!isFound) violations.push(`${what} is not found`);
  }
  for (const database of Object.values(stores)) database.close();
  return {
    name: "the checks detect each loss and duplicate written to the databases",
    cases: harms.length,
    violations,
  };
}
