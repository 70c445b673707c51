import type { Call, Data, Input, Operation } from "./call.ts";

/** Operations that answer with a page of results and the cursor of the next one. */
type Paged = {
  [Name in Operation]: Data<Name> extends { results: readonly unknown[] } ? Name : never;
}[Operation];

type Item<Name extends Paged> = Data<Name> extends { results: readonly (infer T)[] } ? T : never;

interface Page {
  results: unknown[];
  next_cursor?: string | null;
  pagination?: { next_cursor?: string | null };
}

/** Creates the function that iterates over a list and loads one page at a time. */
export function createPages(call: Call) {
  return async function* pages<Name extends Paged>(name: Name, input: Input<Name>): AsyncGenerator<Item<Name>, void> {
    let cursor: string | null | undefined;
    const { query, ...rest } = input as { query?: object };
    do {
      const more = { ...rest, query: { ...query, ...(cursor ? { cursor, page: undefined } : {}) } };
      const page = (await (call as (name: string, input: object) => Promise<unknown>)(name, more)) as Page;
      yield* page.results as Item<Name>[];
      cursor = page.next_cursor ?? page.pagination?.next_cursor;
    } while (cursor);
  };
}
