import { env } from "cloudflare:workers";

/** A statement sent by the Worker, with the values of its first use. */
export interface SentStatement {
  database: D1Database;
  text: string;
  params: readonly unknown[];
}

const d1: D1Database = Object.getPrototypeOf(env.DB);
const { prepare } = d1;

/** Texts that the Worker has sent; tests prepare their own statements. */
const written = new Set<string>();
const sent = new Map<D1Database, Map<string, SentStatement>>();
/** Texts whose first use on a database was recorded. */
const recorded = new Map<D1Database, Set<string>>();

/** From now on, collects every distinct statement that the Worker sends to D1 through any binding. */
export function collectStatements(): void {
  d1.prepare = function (text) {
    const statement = prepare.call(this, text);
    if (!written.has(text) && isCalledByWorker()) written.add(text);
    if (written.has(text)) recordFirstUse(this, text, statement);
    return statement;
  };
}

/** Whether the Worker's code is on the stack. Reads raw frames; mapping them to the source takes 20 times as long. */
function isCalledByWorker(): boolean {
  const { prepareStackTrace } = Error;
  let isFound = false;
  Error.prepareStackTrace = (_error, frames) => {
    isFound = frames.some((frame) => frame.getFileName()?.includes("/src/platform/data/"));
  };
  void new Error().stack;
  Error.prepareStackTrace = prepareStackTrace;
  return isFound;
}

/** Normalises numbers and list lengths, so that statements differing only in them count as one. */
const shapeOf = (text: string) => text.replaceAll(/\?(?:, \?)+/g, "?").replaceAll(/\b\d+\b/g, "0");

function recordFirstUse(database: D1Database, text: string, statement: D1PreparedStatement): void {
  const texts = recorded.get(database) ?? new Set();
  if (texts.has(text)) return;
  recorded.set(database, texts.add(text));
  const known = sent.get(database) ?? new Map<string, SentStatement>();
  sent.set(database, known);
  const shape = shapeOf(text);
  if (known.has(shape)) return;
  const bind = statement.bind.bind(statement);
  statement.bind = (...params) => {
    known.set(shape, { database, text, params });
    return bind(...params);
  };
}

/** All distinct statements sent so far. */
export const sentStatements = (): SentStatement[] => [...sent.values()].flatMap((known) => [...known.values()]);

/** A line of `EXPLAIN QUERY PLAN`; `parent` is the id of its parent line. */
export interface PlanLine {
  id: number;
  parent: number;
  detail: string;
}

const BATCH = 100;

/** Gets the plan of each statement, many per batch. */
export async function explain(statements: readonly SentStatement[]): Promise<Map<SentStatement, PlanLine[]>> {
  const plans = new Map<SentStatement, PlanLine[]>();
  for (const [database, own] of Map.groupBy(statements, (statement) => statement.database)) {
    for (let at = 0; at < own.length; at += BATCH) {
      const asked = own.slice(at, at + BATCH);
      const results = await database.batch<PlanLine>(
        asked.map(({ text, params }) => prepare.call(database, `explain query plan ${text}`).bind(...params)),
      );
      for (const [i, statement] of asked.entries()) plans.set(statement, results[i]?.results ?? []);
    }
  }
  return plans;
}
