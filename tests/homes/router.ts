import { type Directory, type Key, textOf } from "./directory.ts";

/** A home as one invocation sees it. */
export interface FencedHome {
  db: D1Database;
  /** The home refused a batch, because a key has moved. */
  wasRefused: boolean;
}

/** Fails, and the batch with it, if one of the keys is fenced. */
const REFUSE = `select json(case when exists (select 1 from home_fences where key in (select value from json_each(?)))
  then 'moved' else '0' end)`;

/**
 * A home whose batches first check, in the same transaction, that the keys are not fenced. A batch either commits
 * before the fence or changes nothing.
 */
function fencedHome(real: D1Database, keys: readonly Key[]): FencedHome {
  const check = real.prepare(REFUSE).bind(JSON.stringify(keys.map(textOf)));
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

const WAIT_MS = { first: 5, longest: 40 };
/** Attempts after which waiting fails with an error, so that no test waits forever. */
const MAX_ATTEMPTS = 1_000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/**
 * Waits before the next attempt, longer each time.
 *
 * @throws Error after too many attempts, which names what is waited for.
 */
export async function pause(attempt: number, what: string): Promise<void> {
  if (attempt >= MAX_ATTEMPTS) throw new Error(`waited too long for ${what}`);
  await sleep(Math.min(WAIT_MS.first * 2 ** attempt, WAIT_MS.longest));
}

/**
 * Lets paused work continue. The local runtime fires timers only when nothing else can run: if people and movers worked
 * without a break, calls that wait for a move would wait until all other work is done.
 */
export const takeTurns = (): Promise<void> => sleep(0);

export interface Routed {
  status: number;
}

/** How a call is routed. */
export interface Way {
  /** Called when the call has to wait. */
  onWait?: () => void;
  /** A second key that the call concerns and that must be in the same home. */
  also?: Key;
}

/**
 * Runs each invocation in the home of its key. It caches places as an isolate would, so it often calls a home that the
 * key has left; it never passes the home's refusal on.
 */
export class Router {
  /** Home of keys that the directory does not know. */
  readonly first: string;
  /** Number of invocations that a home refused. */
  refusals = 0;
  private readonly remembered = new Map<string, string>();
  private readonly directory: Directory;
  private readonly homes: Readonly<Record<string, D1Database>>;

  constructor(directory: Directory, homes: Readonly<Record<string, D1Database>>, first: string) {
    this.directory = directory;
    this.homes = homes;
    this.first = first;
  }

  /** Runs the work in the key's home, and again after a refusal. Waits while the key moves. */
  async run<T extends Routed>(
    key: Key,
    work: (db: D1Database, home: string) => Promise<T>,
    { onWait, also }: Way = {},
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const name = this.remembered.get(textOf(key)) ?? (await this.look(key));
      if (name !== undefined) {
        const home = fencedHome(this.homeNamed(name), also ? [key, also] : [key]);
        const answer = await work(home.db, name);
        if (answer.status !== 503 || !home.wasRefused) return answer;
        this.refusals += 1;
        this.remembered.delete(textOf(key));
      }
      onWait?.();
      await pause(attempt, `a home of ${textOf(key)} that answers`);
    }
  }

  homeNamed(name: string): D1Database {
    const home = this.homes[name];
    if (!home) throw new Error(`there is no home ${name}`);
    return home;
  }

  /** The home of the key; undefined while it moves. */
  private async look(key: Key): Promise<string | undefined> {
    const place = await this.directory.find(key);
    if (place?.state === "moving") return undefined;
    const name = place?.home ?? this.first;
    this.remembered.set(textOf(key), name);
    return name;
  }
}
