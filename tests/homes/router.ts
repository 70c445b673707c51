import { type Directory, type Key, textOf } from "./directory.ts";

/** A home as one invocation sees it. */
export interface FencedHome {
  db: D1Database;
  /** The home refused a batch, because the key has moved. */
  wasRefused: boolean;
}

const FENCES = "create table if not exists home_fences (key text primary key) without rowid";

/** Adds the table of fences to a home. */
export const prepareFences = (db: D1Database): Promise<unknown> => db.prepare(FENCES).run();

/** Fails, and the batch with it, if the key is fenced. */
const REFUSE = "select json(case when exists (select 1 from home_fences where key = ?) then 'moved' else '0' end)";

/**
 * A home whose batches check first, in the same transaction, that the key is not fenced. A batch either commits before
 * the fence or changes nothing.
 */
function fencedHome(real: D1Database, key: Key): FencedHome {
  const check = real.prepare(REFUSE).bind(textOf(key));
  const home: FencedHome = {
    wasRefused: false,
    db: {
      prepare: (text: string) => real.prepare(text),
      async batch(statements: D1PreparedStatement[]) {
        try {
          const [, ...results] = await real.batch([check, ...statements]);
          return results;
        } catch (error) {
          home.wasRefused ||= String(error).includes("malformed JSON");
          throw error;
        }
      },
    } as unknown as D1Database,
  };
  return home;
}

const WAIT_MS = 5;
const MAX_ATTEMPTS = 5_000;

export interface Routed {
  status: number;
}

/**
 * Runs each invocation in the home of its key. It remembers places as an isolate would, so it often asks a home that the
 * user has left; the home's refusal is never passed on.
 */
export class Router {
  private readonly remembered = new Map<string, string>();
  private readonly directory: Directory;
  private readonly homes: Readonly<Record<string, D1Database>>;
  /** Home of keys of nobody. */
  private readonly first: string;
  /** Number of invocations that a home refused. */
  refusals = 0;

  constructor(directory: Directory, homes: Readonly<Record<string, D1Database>>, first: string) {
    this.directory = directory;
    this.homes = homes;
    this.first = first;
  }

  /**
   * Runs the work in the key's home, and again after a refusal. Waits while the user moves.
   *
   * @param onWait called when the call has to wait.
   */
  async run<T extends Routed>(key: Key, work: (db: D1Database) => Promise<T>, onWait = () => {}): Promise<T> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const name = this.remembered.get(textOf(key)) ?? (await this.look(key));
      if (name !== undefined) {
        const home = fencedHome(this.homeNamed(name), key);
        const answer = await work(home.db);
        if (answer.status !== 503 || !home.wasRefused) return answer;
        this.refusals += 1;
        this.remembered.delete(textOf(key));
      }
      onWait();
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
    throw new Error(`${textOf(key)} has no home that answers`);
  }

  homeNamed(name: string): D1Database {
    const home = this.homes[name];
    if (!home) throw new Error(`there is no home ${name}`);
    return home;
  }

  /** The home of the key; undefined while its user moves. */
  private async look(key: Key): Promise<string | undefined> {
    const place = await this.directory.find(key);
    if (place?.state === "moving") return undefined;
    const name = place?.home ?? this.first;
    this.remembered.set(textOf(key), name);
    return name;
  }
}
