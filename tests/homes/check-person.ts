import { movedTables } from "./moved-tables.ts";
import { rowsOf } from "./mover.ts";
import type { Person, Service } from "./person.ts";

type Row = Record<string, unknown>;

/** Everything that is not as the person was promised; empty if nothing was lost or done twice. */
export async function problemsOf(service: Service, person: Person): Promise<string[]> {
  const { userId } = person;
  const place = await service.directory.find({ user: userId });
  if (place?.state !== "settled") return [`${userId} is ${place?.state}`];
  const home = service.router.homeNamed(place.home);
  const elsewhere = service.homes.filter((db) => db !== home);
  const rows = async <T = Row>(statement: string) => (await home.prepare(statement).bind(userId).all<T>()).results;
  return [
    ...person.complaints,
    ...(await leftBehind(elsewhere, person)),
    ...findAddressProblems(
      person.addresses,
      await rows<Change>(
        "select old_values ->> 'address' as old, new_values ->> 'address' as new from audit_logs where user_id = ? and entity_type = 'profile' and action = 'UPDATE'",
      ),
      (await rows<{ address: string | null }>("select address from profiles where user_id = ?"))[0]?.address ?? null,
    ),
    ...findPointsProblems(
      person,
      await rows("select reference, delta, source from point_transactions where user_id = ?"),
      (await rows<{ sum: number }>("select current_points as sum from points where user_id = ?"))[0]?.sum ?? 0,
    ),
  ].map((problem) => `${person.phone}: ${problem}`);
}

/** Rows of the person in homes that are not theirs. */
async function leftBehind(homes: readonly D1Database[], { userId, phone }: Person): Promise<string[]> {
  const found = await Promise.all(homes.map((home) => rowsOf(home, [userId, JSON.stringify([userId, phone])])));
  return found.flatMap((tables) =>
    tables.flatMap((rows, i) =>
      rows.length > 0 ? [`${rows.length} rows of ${movedTables[i]?.name} left behind`] : [],
    ),
  );
}

interface Change {
  old: string | null;
  new: string;
}

/** Confirmed changes are all present, each once, each change began where another ended, and the last one is current. */
function findAddressProblems(confirmed: readonly string[], changes: readonly Change[], current: string | null) {
  const made = changes.map((change) => change.new);
  const replaced = new Set(changes.map(({ old }) => old));
  return [
    ...confirmed.filter((address) => !made.includes(address)).map((address) => `lost the change to ${address}`),
    ...(new Set(made).size < made.length ? ["a change was made twice"] : []),
    ...(replaced.size < changes.length ? ["two changes replaced one value"] : []),
    ...(replaced.has(current) || (made.length > 0 && !made.includes(current ?? "")) ? [`is at ${current}`] : []),
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
    ...(sum === points ? [] : [`has ${points} points, not ${sum}`]),
  ];
}
