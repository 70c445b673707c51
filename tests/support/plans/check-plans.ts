import { type PlanException, planExceptions } from "./plan-exceptions.ts";
import { faultOf } from "./plan-rules.ts";
import { explain, type SentStatement, sentStatements } from "./sent-statements.ts";

export interface CheckedPlan {
  statement: string;
  plan: string[];
  /** Lines that break a rule without being an exception, each with the reason. */
  faults: { line: string; fault: string }[];
  /** Exceptions that were used, by number. */
  exceptions: number[];
}

const checked = new Set<SentStatement>();

/** Plans of the statements sent since the last check, each distinct statement once per process. */
export async function checkNewPlans(): Promise<CheckedPlan[]> {
  const fresh = sentStatements().filter((statement) => !checked.has(statement));
  for (const statement of fresh) checked.add(statement);
  return checkPlans(fresh);
}

/** Plans of the statements and their errors. */
export async function checkPlans(statements: readonly SentStatement[]): Promise<CheckedPlan[]> {
  const plans = await explain(statements);
  const databases = [...new Set(statements.map(({ database }) => database))];
  const tables = new Map(await Promise.all(databases.map(async (each) => [each, await tablesOf(each)] as const)));
  return statements.map((statement) => {
    const plan = plans.get(statement) ?? [];
    const { text: sql, database } = statement;
    const found: CheckedPlan = { statement: sql, plan: plan.map(({ detail }) => detail), faults: [], exceptions: [] };
    for (const line of plan) {
      const fault = faultOf(line, plan, sql, tables.get(database) ?? new Set());
      if (fault === undefined) continue;
      const exception = planExceptions.findIndex((each) => allows(each, line.detail, found));
      if (exception < 0) found.faults.push({ line: line.detail, fault });
      else found.exceptions.push(exception);
    }
    return found;
  });
}

/** SQLite lists the reads of a co-routine twice. */
const MENTIONS = 2;

/** Whether the exception covers the line and is not used more often than its part of the statement occurs. */
function allows(exception: PlanException, line: string, { statement, exceptions }: CheckedPlan): boolean {
  if (!exception.line.test(line)) return false;
  const parts = [...statement.matchAll(exception.part)].length;
  const made = exceptions.filter((each) => planExceptions[each] === exception).length;
  return made < MENTIONS * parts;
}

async function tablesOf(database: D1Database): Promise<ReadonlySet<string>> {
  const { results } = await database
    .prepare("select name from sqlite_master where type = 'table'")
    .all<{ name: string }>();
  return new Set(results.map(({ name }) => name));
}
