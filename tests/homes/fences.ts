import { type Key, textOf } from "./directory.ts";

// A fence names the move that placed it, so that a move opens its own fences only. Those of the old home stay.

const SCHEMA =
  "create table if not exists home_fences (key text not null, move text not null, primary key (key, move)) without rowid";

/** Adds the table of fences to a home. */
export const prepareFences = (db: D1Database): Promise<unknown> => db.prepare(SCHEMA).run();

/** Identifiers of the user `?1`: those that the user has now. */
const PRESENT = `select email as identifier from users where id = ?1 and email is not null
  union select phone_number from users where id = ?1 and phone_number is not null`;
/** Identifiers that the user `?1` lost by a change that can be undone, so that nobody else may take them. */
const FORMER = `select c.old_identifier from identity_changes c where c.user_id = ?1 and c.old_identifier is not null
  and (c.outcome is null or c.outcome in ('HELD', 'DECIDED'))
  and not exists (select 1 from users o where o.email = c.old_identifier or o.phone_number = c.old_identifier)`;

/** Which identifiers a mover treats as the user's: with or without those that the user may take back. */
export type Scope = "all" | "present";
const identifiers = (scope: Scope) => (scope === "all" ? `${PRESENT} union ${FORMER}` : PRESENT);

/** Fences all keys of the party in its old home, by one statement. */
export function fence(source: D1Database, party: Key, move: string, scope: Scope): Promise<unknown> {
  if ("identifier" in party) {
    return source.prepare("insert or ignore into home_fences values (?, ?)").bind(textOf(party), move).run();
  }
  return source
    .prepare(
      `insert or ignore into home_fences select 'identifier:' || identifier, ?2 from (${identifiers(scope)})
        union all select 'user:' || ?1, ?2`,
    )
    .bind(party.user, move)
    .run();
}

/** Fences the keys in the new home; removes other fences of them, which can only be stale ones of earlier moves. */
export async function fenceTarget(target: D1Database, keys: readonly Key[], move: string): Promise<void> {
  const list = JSON.stringify(keys.map(textOf));
  await target.batch([
    target.prepare("delete from home_fences where key in (select value from json_each(?))").bind(list),
    target.prepare("insert into home_fences select value, ? from json_each(?)").bind(move, list),
  ]);
}

/** Removes the move's fences from the home. */
export const open = (db: D1Database, move: string): Promise<unknown> =>
  db.prepare("delete from home_fences where move = ?").bind(move).run();

/** The identifiers that a user of the home has or may take back; undefined if there is no such user. */
export async function identifiersOf(db: D1Database, userId: string, scope: Scope): Promise<string[] | undefined> {
  const found = await db
    .prepare(
      `select (select json_group_array(identifier) from (${identifiers(scope)})) as identifiers from users where id = ?1`,
    )
    .bind(userId)
    .first<{ identifiers: string }>();
  return found ? (JSON.parse(found.identifiers) as string[]) : undefined;
}

/** The user of the home who has the identifier or may take it back. */
export async function holderOf(db: D1Database, identifier: string): Promise<string | undefined> {
  const found = await db
    .prepare(
      `select id from users where email = ?1 or phone_number = ?1 union all select user_id from identity_changes
        where old_identifier = ?1 and (outcome is null or outcome in ('HELD', 'DECIDED')) limit 1`,
    )
    .bind(identifier)
    .first<{ id: string }>();
  return found?.id;
}
