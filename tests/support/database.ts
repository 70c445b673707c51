import { testEnv } from "./client.ts";

/** The rows of a query on the primary. */
export async function rows<Row = Record<string, unknown>>(statement: string, ...values: unknown[]): Promise<Row[]> {
  const { results } = await testEnv.DB.prepare(statement)
    .bind(...values)
    .all<Row>();
  return results;
}

/** Runs a statement on the primary. */
export const run = (statement: string, ...values: unknown[]) =>
  testEnv.DB.prepare(statement)
    .bind(...values)
    .run();

/** Number of rows. @param from begins with `from`. */
export async function count(from: string, ...values: unknown[]): Promise<number> {
  return (await rows<{ n: number }>(`select count(*) as n ${from}`, ...values))[0]?.n ?? 0;
}

/** Number of the user's rows in the table. */
export const countOf = (table: string, userId: string, where = "1"): Promise<number> =>
  count(`from ${table} where user_id = ? and ${where}`, userId);
