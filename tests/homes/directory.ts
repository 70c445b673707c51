/** What an invocation concerns: a user, or an identifier, which may belong to nobody. */
export type Key = { user: string } | { identifier: string };

/** The key as text, as fences and the directory store it. */
export const textOf = (key: Key): string => ("user" in key ? `user:${key.user}` : `identifier:${key.identifier}`);

/**
 * Where a user lives with all their keys, or where an identifier lives that the directory gives to nobody. `moving`:
 * nowhere that answers; `settling`: the old home still has rows to delete.
 */
export interface Place {
  /** The key of the user or of the identifier, as text. */
  id: string;
  home: string;
  state: "settled" | "moving" | "settling";
  /** The home to which the move goes or from which it came; null if settled. */
  other: string | null;
  /** The newest move; "" if there was none. */
  move: string;
}

const SCHEMA = [
  "create table if not exists places (id text primary key, home text not null, state text not null, other text, move text not null) without rowid",
  "create table if not exists keys (key text primary key, place text not null) without rowid",
  "create index if not exists keys_place on keys (place)",
];

/**
 * The directory of all homes. A key belongs to one place and a place has one home, so one statement moves a user with
 * all their keys. The home decides who has an identifier; the directory follows, and until it has, it names the right
 * home nevertheless.
 */
export class Directory {
  private readonly db: D1Database;

  constructor(db: D1Database) {
    this.db = db;
  }

  async prepare(): Promise<void> {
    await this.db.batch(SCHEMA.map((statement) => this.db.prepare(statement)));
  }

  /** Adds a new user, or an identifier of nobody, unless the directory knows the key. */
  async add(key: Key, home: string): Promise<void> {
    const id = textOf(key);
    const place =
      "insert into places select ?1, ?2, 'settled', null, '' where not exists (select 1 from keys where key = ?1)";
    await this.db.batch([
      this.db.prepare(place).bind(id, home),
      this.db.prepare("insert or ignore into keys values (?1, ?1)").bind(id),
    ]);
  }

  /** Where the key lives; undefined if nobody ever had it and it never moved. */
  async find(key: Key): Promise<Place | undefined> {
    const statement = this.db
      .prepare("select id, home, state, other, move from keys k join places p on p.id = k.place where k.key = ?")
      .bind(textOf(key));
    return (await statement.first<Place>()) ?? undefined;
  }

  /**
   * Gives the place these keys and no others, if it is still as it was read. A key that it loses gets its own place in
   * the same home; a key that it gains must be settled in that home.
   *
   * @returns the keys that it did not get, because they move or the directory does not know them.
   */
  async assign({ id, home, state, move }: Place, keys: readonly string[]): Promise<string[]> {
    const isUnchanged = "exists (select 1 from places where id = ?1 and state = ?2 and move = ?3)";
    const lost = `place = ?1 and key <> ?1 and key not in (select value from json_each(?4)) and ${isUnchanged}`;
    const isHere = "exists (select 1 from places p where p.id = keys.place and p.state = 'settled' and p.home = ?5)";
    const given = JSON.stringify(keys);
    const values = [id, state, move, given];
    const results = await this.db.batch<{ key: string }>([
      this.db
        .prepare(`insert or ignore into places select key, ?5, 'settled', null, '' from keys where ${lost}`)
        .bind(...values, home),
      this.db.prepare(`update keys set place = key where ${lost}`).bind(...values),
      this.db
        .prepare(
          `update keys set place = ?1 where key in (select value from json_each(?4)) and ${isUnchanged} and ${isHere}`,
        )
        .bind(...values, home),
      this.db
        .prepare(
          `delete from places where id in (select value from json_each(?))
            and not exists (select 1 from keys where place = places.id)`,
        )
        .bind(given),
      this.db
        .prepare(
          `select value as key from json_each(?2)
            where not exists (select 1 from keys where key = value and place = ?1)`,
        )
        .bind(id, given),
    ]);
    return results.at(-1)?.results.map(({ key }) => key) ?? [];
  }

  /** Marks a settled place as moving to another home. */
  markMoving(key: Key, target: string): Promise<unknown> {
    const change = "update places set state = 'moving', other = ?2, move = ?3";
    return this.db
      .prepare(`${change} where id = ?1 and state = 'settled' and home <> ?2`)
      .bind(textOf(key), target, crypto.randomUUID())
      .run();
  }

  /** Ends a move that has copied nothing. */
  unmark({ id, move }: Place): Promise<unknown> {
    const change = "update places set state = 'settled', other = null";
    return this.db.prepare(`${change} where id = ? and move = ? and state = 'moving'`).bind(id, move).run();
  }

  /** Makes the target the home: the one statement that moves a user and their keys. */
  flip({ id, move }: Place): Promise<unknown> {
    const change = "update places set home = other, other = home, state = 'settling'";
    return this.db.prepare(`${change} where id = ? and move = ? and state = 'moving'`).bind(id, move).run();
  }

  settle({ id, move }: Place): Promise<unknown> {
    const change = "update places set state = 'settled', other = null";
    return this.db.prepare(`${change} where id = ? and move = ? and state = 'settling'`).bind(id, move).run();
  }

  /** Removes a settled user who has no identifiers any more. */
  async forget(userId: string): Promise<void> {
    const id = textOf({ user: userId });
    await this.db.batch([
      this.db
        .prepare(
          `delete from places where id = ?1 and state = 'settled'
            and not exists (select 1 from keys where place = ?1 and key <> ?1)`,
        )
        .bind(id),
      this.db.prepare("delete from keys where key = ?1 and place not in (select id from places)").bind(id),
    ]);
  }
}
