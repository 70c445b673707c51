import type { Session } from "./journal.ts";
import { type Check, check, checkNone, differenceOf, type Evidence, rowsBy } from "./proof.ts";

const sorted = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Users, sessions, audit log, profiles, notifications. */
export function provePeople({ users: query, people, journal, before }: Evidence): Check[] {
  const rows = new Map(query("select * from users").map((row) => [row.id, row]));
  const reported = new Map(journal.people.map((person) => [person.userId, person]));
  const there = people.filter(({ isDeleted }) => !isDeleted);

  const sessions = rowsBy(query("select id, user_id, counter, revoked_at, revoked_reason from sessions"), "user_id");
  const audits = rowsBy(
    query("select user_id, action || ' ' || entity_type as act, count(*) as n from audit_logs group by 1, 2"),
    "user_id",
  );
  const profiles = rowsBy(query("select user_id, full_name, date_of_birth, address from profiles"), "user_id");
  const notices = rowsBy(
    query(`select user_id, notification_type as kind, count(*) as n from notifications
      where notification_type in ('ACCOUNT_BANNED', 'ACCOUNT_ACTIVATED') group by 1, 2`),
    "user_id",
  );
  const stateOf = (session: Session) => ({ rotations: session.earlier.length, hasEnded: session.hasEnded });

  return [
    check("every account reported by a response exists, with its identifier and status", there, (person) => {
      const row = rows.get(person.userId);
      const identifier = row?.phone_number ?? row?.email;
      return differenceOf(person.userId, [identifier, row?.status], [person.identifier, person.status]);
    }),
    check("no deleted account exists", people, ({ userId, isDeleted }) =>
      isDeleted && rows.has(userId) ? userId : undefined,
    ),
    check("every account was reported by a response", rows.keys(), (id) =>
      reported.has(String(id)) || before.has(String(id)) ? undefined : String(id),
    ),
    checkNone(
      "no identifier has two users",
      query(`select value, count(*) as n from users, json_each(json_array(email, phone_number))
        where value is not null group by value having n > 1`),
    ),
    check(
      "sessions are those reported by responses, with the reported number of rotations and end",
      people,
      (person) => {
        const actual = Object.fromEntries(
          (sessions.get(person.userId) ?? [])
            .map(
              (row) => [String(row.id), { rotations: Number(row.counter), hasEnded: row.revoked_at !== null }] as const,
            )
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        );
        const expected = Object.fromEntries(
          (person.isDeleted ? [] : person.sessions)
            .map((session) => [session.id, stateOf(session)] as const)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        );
        return differenceOf(person.userId, actual, expected);
      },
    ),
    checkNone(
      "no inactive user has a live session, and no user has more than ten",
      query(`select u.id, u.status, count(*) as live from users u join sessions s on s.user_id = u.id
        where s.revoked_at is null group by u.id having live > 10 or u.status <> 'ACTIVE'`),
    ),
    checkNone(
      "no session was opened by two verification tokens",
      query(`select session_id, count(*) as n from otp_challenges where session_id is not null
        group by session_id having n > 1`),
    ),
    check("the audit log has each action once", people, (person) => {
      const actual = Object.fromEntries(
        (audits.get(person.userId) ?? []).map(({ act, n }) => [String(act), Number(n)]),
      );
      return differenceOf(person.userId, sorted(actual), sorted(person.audits));
    }),
    check("the audit log has only known users", audits.keys(), (id) =>
      reported.has(String(id)) || before.has(String(id)) ? undefined : String(id),
    ),
    check("audit rows of deleted users have no values", people, ({ userId, isDeleted }) => {
      const kept =
        "select count(*) as n from audit_logs where user_id = ? and coalesce(old_values, new_values, ip, user_agent) is not null";
      return isDeleted ? differenceOf(userId, query(kept, userId)[0]?.n, 0) : undefined;
    }),
    check("profiles have the values written last", there, ({ userId, profile }) => {
      const row = profiles.get(userId)?.[0];
      const { full_name = null, date_of_birth = null, address = null } = profile;
      return differenceOf(
        userId,
        [row?.full_name, row?.date_of_birth, row?.address],
        [full_name, date_of_birth, address],
      );
    }),
    check("each user was notified of each change of status once", there, (person) => {
      const actual = Object.fromEntries(
        (notices.get(person.userId) ?? []).map(({ kind, n }) => [String(kind), Number(n)]),
      );
      return differenceOf(person.userId, sorted(actual), sorted(person.notices));
    }),
  ];
}
