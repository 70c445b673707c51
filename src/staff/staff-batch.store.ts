import { type SQL, sql } from "drizzle-orm";
import { commit } from "../platform/data/commit.ts";
import { mergeStatements, type Results, runBatch } from "../platform/data/database.ts";
import type { Statements } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import { isAdmin, isStaff, mayChangeAccount } from "../sessions/authority.store.ts";
import type { AdminClaims, StaffClaims } from "../sessions/claims.ts";
import { type CallerRow, selectCaller } from "../sessions/session.store.ts";
import { refuseUnlessAdmin, refuseUnlessStaff } from "./refusals.ts";

type BatchDeps = Pick<Deps, "db" | "now" | "log" | "config">;

/** Conditions on the caller, for the statements of a staff batch. */
export interface CallerConditions {
  isStaff: SQL;
  /** `value` if the caller is staff, else NULL. An indexed column compared with it matches no row for other callers. */
  ifStaff: (value: string | number) => SQL;
  /** As `mayChangeAccount`. */
  mayChange: (userId: string) => SQL;
}

/** Conditions on an admin, for the statements of an admin batch. */
export interface AdminConditions {
  isAdmin: SQL;
  /** `value` if the caller is an admin, else NULL, which equals no column. */
  ifAdmin: (value: string | number) => SQL;
}

type Caller = { caller: CallerRow & { role: "staff" | "admin" } };

function conditionsOf(deps: BatchDeps, caller: StaffClaims): CallerConditions {
  const condition = isStaff(deps, caller);
  return {
    isStaff: condition,
    ifStaff: (value) => sql`(select case when ${condition} then ${value} end)`,
    mayChange: (userId) => mayChangeAccount(deps, caller, userId),
  };
}

/**
 * Checks the caller's row, which the same transaction read, and returns the results with it as `caller`.
 *
 * @throws AppError as `refuseUnlessStaff`.
 */
function withCaller<T>({ callerRow, ...found }: T & { callerRow: CallerRow[] }) {
  const [caller] = callerRow;
  refuseUnlessStaff(caller);
  return { ...found, caller } as unknown as T & Caller;
}

/**
 * Runs the statements of `build` for a staff member and reads the caller's row in the same transaction. Returns no data
 * to other callers. A statement that writes or reads many rows must contain one of the conditions itself.
 *
 * @returns the result of each statement by its name, and `caller`.
 * @throws AppError `token_not_valid` if the session has ended, `permission_denied` if the caller is not staff,
 *   `passkey_required` if the session lacks the passkey that the role needs.
 */
export async function runStaffBatch<T extends Statements>(
  deps: BatchDeps,
  caller: StaffClaims,
  build: (conditions: CallerConditions) => T,
): Promise<Results<T> & Caller> {
  const statements = mergeStatements(
    { callerRow: selectCaller(deps, caller) },
    build(conditionsOf(deps, caller)) as Statements,
  );
  return withCaller(await runBatch(deps, statements)) as unknown as Results<T> & Caller;
}

/**
 * As `runStaffBatch`, for a change, through `commit`. Each write must contain one of the conditions or depend on a row
 * of a write that does.
 *
 * @param isCommitted whether the rows show that this invocation's writes are in the database.
 */
export async function commitStaffBatch<W extends Statements, R extends Statements>(
  deps: BatchDeps,
  caller: StaffClaims,
  build: (conditions: CallerConditions) => { writes: W; reads: R },
  isCommitted: (found: Results<R>) => boolean,
): Promise<Results<R> & Partial<Results<W>> & Caller> {
  const { writes, reads: given } = build(conditionsOf(deps, caller));
  const found = await commit(deps, {
    writes: writes as Statements,
    reads: mergeStatements({ callerRow: selectCaller(deps, caller) }, given as Statements),
    isCommitted: (again) => isCommitted(again as unknown as Results<R>),
  });
  return withCaller(found as never) as unknown as Results<R> & Partial<Results<W>> & Caller;
}

function adminConditionsOf(deps: BatchDeps, caller: AdminClaims): AdminConditions {
  const condition = isAdmin(deps, caller);
  return { isAdmin: condition, ifAdmin: (value) => sql`(select case when ${condition} then ${value} end)` };
}

/** As `runStaffBatch`, for an admin. @throws AppError as `refuseUnlessAdmin`. */
export async function runAdminBatch<T extends Statements>(
  deps: BatchDeps,
  caller: AdminClaims,
  build: (conditions: AdminConditions) => T,
): Promise<Results<T> & Caller> {
  const found = await runStaffBatch(deps, caller, () => build(adminConditionsOf(deps, caller)));
  refuseUnlessAdmin(found.caller);
  return found;
}

/** As `commitStaffBatch`, for an admin. */
export async function commitAdminBatch<W extends Statements, R extends Statements>(
  deps: BatchDeps,
  caller: AdminClaims,
  build: (conditions: AdminConditions) => { writes: W; reads: R },
  isCommitted: (found: Results<R>) => boolean,
): Promise<Results<R> & Partial<Results<W>> & Caller> {
  const found = await commitStaffBatch(deps, caller, () => build(adminConditionsOf(deps, caller)), isCommitted);
  refuseUnlessAdmin(found.caller);
  return found;
}
