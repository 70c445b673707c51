import { deletionProblemsOf } from "./check-deletion.ts";
import { findIdentifierProblems } from "./check-identifiers.ts";
import { rowsOf } from "./moved-rows.ts";
import type { Person } from "./person.ts";

type Row = Record<string, unknown>;

/** Deviations from what the service confirmed to the person; empty if nothing was lost or done twice. */
export async function problemsOf(person: Person): Promise<string[]> {
  const own = person.isGone ? await deletionProblemsOf(person) : await problemsOfUser(person);
  return [...person.complaints, ...own, ...(await findIdentifierProblems(person))].map(
    (problem) => `${person.phone}: ${problem}`,
  );
}

async function problemsOfUser(person: Person): Promise<string[]> {
  const { service, userId } = person;
  const place = await service.directory.find({ user: userId });
  if (place?.state !== "settled") return [`${userId} is ${place?.state}`];
  const home = service.router.homeNamed(place.home);
  const [users, profiles, changes, points, ledger, identities] = await home.batch<Row>(
    [
      "select email, phone_number, version from users where id = ?",
      "select address from profiles where user_id = ?",
      "select old_values ->> 'address' as old, new_values ->> 'address' as new from audit_logs where user_id = ? and entity_type = 'profile' and action = 'UPDATE'",
      "select current_points as sum from points where user_id = ?",
      "select reference, delta, source from point_transactions where user_id = ?",
      "select outcome from identity_changes where user_id = ?",
    ].map((statement) => home.prepare(statement).bind(userId)),
  );
  const user = users?.results[0];
  if (!user) return ["is in no row of their home"];
  return [
    ...(await leftBehind(person, home)),
    ...findAddressProblems(person.addresses, changes?.results ?? [], profiles?.results[0]?.address ?? null),
    ...findPointsProblems(person, ledger?.results ?? [], Number(points?.results[0]?.sum ?? 0)),
    ...differences("e-mail address", user.email, person.email ?? null),
    ...differences("number", user.phone_number, person.number),
    ...differences("changes", identities?.results.length, person.counts.changes),
    ...findEventProblems(person, Number(user.version)),
  ];
}

const differences = (what: string, found: unknown, wanted: unknown): string[] =>
  found === wanted ? [] : [`${what}: ${found}, not ${wanted}`];

/** Rows of the person in homes that are not theirs. */
async function leftBehind(person: Person, home: D1Database): Promise<string[]> {
  const { service, userId } = person;
  const identifiers = person.identifiers();
  const others = service.homes.filter((db) => db !== home);
  const found = await Promise.all(others.map((db) => rowsOf(db, { userId, identifiers })));
  return found
    .flat()
    .flatMap(({ name, rows }) => (rows.length > 0 ? [`${rows.length} rows of ${name} left behind`] : []));
}

/** Confirmed changes are all present, each once, each change began where another ended, and the last one is current. */
function findAddressProblems(confirmed: readonly string[], changes: readonly Row[], current: unknown) {
  const made = changes.map((change) => change.new);
  const replaced = new Set(changes.map(({ old }) => old));
  return [
    ...confirmed.filter((address) => !made.includes(address)).map((address) => `lost the change to ${address}`),
    ...(new Set(made).size < made.length ? ["a change was made twice"] : []),
    ...(replaced.size < changes.length ? ["two changes replaced one value"] : []),
    ...(replaced.has(current) || (made.length > 0 && !made.includes(current)) ? [`is at ${current}`] : []),
  ];
}

/** Every confirmed event is in the ledger once, and the points are the sum of the ledger. */
function findPointsProblems({ events }: Person, ledger: readonly Row[], points: number): string[] {
  const reported = ledger.filter(({ source }) => source === "rentals");
  const lost = [...events.values()].filter(
    ({ id, delta }) => !reported.some((row) => row.reference === id && row.delta === delta),
  );
  const sum = ledger.reduce((total, { delta }) => total + Number(delta), 0);
  return [
    ...lost.map(({ id }) => `lost event ${id}`),
    ...(new Set(reported.map(({ reference }) => reference)).size < reported.length ? ["an event counted twice"] : []),
    ...differences("points", points, sum),
  ];
}

/** One event was sent for each version of the user, change of an identifier and undo, and none for a deletion. */
function findEventProblems({ service, userId, counts }: Person, version: number): string[] {
  const told = (type: string) => service.messagesOf(userId, "tasks", type).length;
  return [
    ...differences("versions told", told("user.created") + told("user.updated"), version),
    ...differences("changes told", told("user.identifier_changed"), counts.changes),
    ...differences("undoings told", told("auth.identity_restored"), counts.undone),
    ...differences("deletions told", told("user.deleted"), 0),
  ];
}
