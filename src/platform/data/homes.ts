import type { Deps } from "../deps.ts";

/**
 * Whose data an invocation concerns. A home is a database with all rows of its users, and the key selects one:
 *
 * - `user`: the id of the user.
 * - `identifier`: an email address or phone number, as the caller wrote it. It may belong to nobody.
 * - `issued`: something that was issued for one user or flow: a token, a code, a file.
 * - `every`: many users, as in lists and figures for staff.
 * - `none`: nobody; no row is read.
 */
export type HomeKey = { user: string } | { identifier: string } | { issued: string } | "every" | "none";

/** Whose data a call concerns, if its guard does not say it; required where no guard identifies the user. */
export type Housed<Caller, In> = Caller extends { userId: string }
  ? { home?(input: In): HomeKey }
  : { home(input: In): HomeKey };

/**
 * Runs the work in the home of the key. Every invocation that reads or writes rows of users passes here, and its work
 * uses no other database. Today there is only one home, so the work gets the same dependencies without a wait. See
 * docs/adr/0022-growing-past-one-database.md.
 */
export function atHome<D extends Partial<Pick<Deps, "db">>, T>(
  deps: D,
  _key: HomeKey,
  work: (deps: D) => Promise<T>,
): Promise<T> {
  return work(deps);
}
