import { base64url } from "jose";
import type { Directory, Place } from "./directory.ts";
import { movedTables } from "./moved-tables.ts";
import type { Router } from "./router.ts";

const STEPS = ["mark", "fence", "clear", "copy", "compare", "flip", "open", "delete", "settle"] as const;
export type Step = (typeof STEPS)[number];
export const steps: readonly Step[] = STEPS;

/** Rows per statement that deletes, so that no statement is long. */
const CHUNK = 100;

/** Steps that follow each state, up to the next state. */
type Plan = Record<Exclude<Place["state"], "settled">, readonly Step[]>;
const PLAN: Plan = { moving: ["fence", "clear", "copy", "compare", "flip"], settling: ["open", "delete", "settle"] };
/** A mover that flips the directory first and fences the old home afterwards. It loses changes. */
const NAIVE_PLAN: Plan = { moving: ["clear", "copy", "flip"], settling: ["fence", "open", "delete", "settle"] };

interface Move {
  userId: string;
  source: D1Database;
  target: D1Database;
  /** The home that has all of the user's rows. */
  whole: D1Database;
}

type Row = Record<string, unknown>;

/**
 * Moves users between homes while they use the service. Every step may run twice, so a mover that died is continued by
 * another from the directory's state.
 */
export class Mover {
  private readonly directory: Directory;
  private readonly router: Pick<Router, "homeNamed">;
  private readonly plan: Plan;

  constructor(directory: Directory, router: Pick<Router, "homeNamed">, isNaive = false) {
    this.directory = directory;
    this.router = router;
    this.plan = isNaive ? NAIVE_PLAN : PLAN;
  }

  /** @param after called after each step; if it throws, the mover dies there. */
  async move(userId: string, target: string, after: (step: Step) => Promise<void> = async () => {}): Promise<void> {
    await this.directory.markMoving(userId, target);
    await after("mark");
    await this.resume(userId, after);
  }

  /** Continues a move from the state that the directory has. */
  async resume(userId: string, after: (step: Step) => Promise<void> = async () => {}): Promise<void> {
    for (;;) {
      const place = await this.directory.find({ user: userId });
      if (!place?.other || place.state === "settled") return;
      const [own, other] = [this.router.homeNamed(place.home), this.router.homeNamed(place.other)];
      const isFlipped = place.state === "settling";
      const move = { userId, source: isFlipped ? other : own, target: isFlipped ? own : other, whole: own };
      for (const step of this.plan[place.state]) {
        await this.run(step, move);
        await after(step);
      }
    }
  }

  private async run(step: Step, move: Move): Promise<unknown> {
    const { userId, source, target } = move;
    switch (step) {
      case "mark":
        return undefined;
      case "fence":
        return fence(move);
      case "clear":
        return deleteRows(target, await parametersOf(move));
      case "copy":
        return copyRows(source, target, await parametersOf(move));
      case "compare":
        return compareRows(source, target, await parametersOf(move));
      case "flip":
        return this.directory.flip(userId);
      case "open":
        return target.prepare(`delete from home_fences where key in ${KEYS}`).bind(userId).run();
      case "delete":
        return deleteRows(source, await parametersOf(move));
      case "settle":
        return this.directory.settle(userId);
    }
  }
}

/** The keys of a user, from their row. */
const KEYS = `(select 'user:' || id from users where id = ?1
  union all select 'identifier:' || email from users where id = ?1 and email is not null
  union all select 'identifier:' || phone_number from users where id = ?1 and phone_number is not null)`;

/** Fences the user's keys in the old home by one statement, and in the new one before it has any of their rows. */
async function fence({ userId, source, target }: Move): Promise<void> {
  await source.prepare(`insert or ignore into home_fences select * from ${KEYS}`).bind(userId).run();
  const { results } = await source.prepare(`select * from ${KEYS}`).bind(userId).all<Row>();
  const keys = JSON.stringify(results.flatMap((row) => Object.values(row)));
  await target.prepare("insert or ignore into home_fences select value from json_each(?)").bind(keys).run();
}

/** The parameters of `MovedTable.which`. */
type Parameters = [userId: string, identifiers: string];

async function parametersOf({ userId, whole }: Move): Promise<Parameters> {
  const row = await whole
    .prepare("select json_array(id, email, phone_number) as identifiers from users where id = ?")
    .bind(userId)
    .first<{ identifiers: string }>();
  if (!row) throw new Error(`the home of ${userId} has no row of theirs`);
  return [userId, row.identifiers];
}

const select = (db: D1Database, which: string, parameters: Parameters, from: string) => {
  const numbers = which.includes("?2") ? parameters : parameters.slice(0, 1);
  return db.prepare(`${from} where ${which}`).bind(...numbers);
};

/** The user's rows of every table that moves, in a fixed order. */
export async function rowsOf(db: D1Database, parameters: Parameters): Promise<Row[][]> {
  const results = await db.batch<Row>(
    movedTables.map(({ name, which }) => select(db, which, parameters, `select * from ${name}`)),
  );
  return results.map(({ results: rows }) => rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)));
}

async function columnsOf(db: D1Database): Promise<string[][]> {
  const results = await db.batch<{ name: string }>(
    movedTables.map(({ name }) => db.prepare(`select name from pragma_table_info('${name}')`)),
  );
  return results.map(({ results: columns }) => columns.map(({ name }) => name));
}

/** Copies the user's rows in one transaction. */
async function copyRows(source: D1Database, target: D1Database, parameters: Parameters): Promise<void> {
  const [rows, columns] = await Promise.all([rowsOf(source, parameters), columnsOf(source)]);
  const inserts = movedTables.flatMap(({ name }, i) => {
    const own = columns[i] ?? [];
    const values = (rows[i] ?? []).map((row) => own.map((column) => row[column]));
    if (values.length === 0) return [];
    const fields = own.map((_, at) => `value ->> '$[${at}]'`).join(", ");
    const insert = `insert into ${name} (${own.join(", ")}) select ${fields} from json_each(?)`;
    return [target.prepare(insert).bind(JSON.stringify(values))];
  });
  await target.batch(inserts);
}

async function digestOf(db: D1Database, parameters: Parameters): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify(await rowsOf(db, parameters)));
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", text)));
}

/** @throws Error if the copies differ. */
async function compareRows(source: D1Database, target: D1Database, parameters: Parameters): Promise<void> {
  const [own, copied] = await Promise.all([digestOf(source, parameters), digestOf(target, parameters)]);
  if (own !== copied) throw new Error(`the copies of ${parameters[0]} differ`);
}

/** Deletes the user's rows, a chunk at a time. */
async function deleteRows(db: D1Database, parameters: Parameters): Promise<void> {
  for (const { name, which } of movedTables.toReversed()) {
    const { results } = await db
      .prepare(`select name from pragma_table_info('${name}') where pk > 0 order by pk`)
      .all<{ name: string }>();
    const key = results.map((column) => column.name).join(", ");
    const chunk = `delete from ${name} where (${key}) in (select ${key} from ${name}`;
    for (let deleted = CHUNK; deleted >= CHUNK; ) {
      const { meta } = await select(db, `${which} limit ${CHUNK})`, parameters, chunk).run();
      deleted = meta.changes;
    }
  }
}
