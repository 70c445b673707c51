/** Where a user lives. `moving`: nowhere that answers; `settling`: the old home still has rows to delete. */
export interface Place {
  userId: string;
  home: string;
  state: "settled" | "moving" | "settling";
  /** The home to which the user moves or from which they came; null if settled. */
  other: string | null;
  /** Incremented with each move. */
  epoch: number;
}

/** What an invocation concerns. */
export type Key = { user: string } | { identifier: string };

/** The key as text, as fences and the directory store it. */
export const textOf = (key: Key): string => ("user" in key ? `user:${key.user}` : `identifier:${key.identifier}`);

const PLACE = "u.id as userId, home, state, other, epoch";

/** The directory of all homes: which user has a key, and which home has the user. */
export class Directory {
  private readonly db: D1Database;

  constructor(db: D1Database) {
    this.db = db;
  }

  async prepare(): Promise<void> {
    await this.db.batch(
      [
        "create table if not exists users (id text primary key, home text not null, state text not null, other text, epoch integer not null) without rowid",
        "create table if not exists keys (key text primary key, user_id text not null) without rowid",
      ].map((statement) => this.db.prepare(statement)),
    );
  }

  /** Adds a new user with their keys. */
  async add(userId: string, home: string, keys: readonly Key[]): Promise<void> {
    const row = this.db.prepare("insert into users values (?, ?, 'settled', null, 1)").bind(userId, home);
    const own = this.db.prepare("insert into keys select value, ? from json_each(?)");
    await this.db.batch([row, own.bind(userId, JSON.stringify(keys.map(textOf)))]);
  }

  /** Where the key's user lives; undefined for a key of nobody. */
  async find(key: Key): Promise<Place | undefined> {
    const statement = this.db
      .prepare(`select ${PLACE} from keys k join users u on u.id = k.user_id where k.key = ?`)
      .bind(textOf(key));
    return (await statement.first<Place>()) ?? undefined;
  }

  /** Marks a settled user as moving to another home. */
  markMoving(userId: string, target: string): Promise<unknown> {
    const change = "update users set state = 'moving', other = ?, epoch = epoch + 1";
    return this.db.prepare(`${change} where id = ?2 and state = 'settled' and home <> ?1`).bind(target, userId).run();
  }

  /** Makes the target the home: the one statement that moves the user. */
  flip(userId: string): Promise<unknown> {
    const change = "update users set home = other, other = home, state = 'settling'";
    return this.db.prepare(`${change} where id = ? and state = 'moving'`).bind(userId).run();
  }

  settle(userId: string): Promise<unknown> {
    const change = "update users set state = 'settled', other = null";
    return this.db.prepare(`${change} where id = ? and state = 'settling'`).bind(userId).run();
  }
}
