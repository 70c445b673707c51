import { and, eq, type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { runBatch } from "../../platform/data/database.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { ErrorCode } from "../../platform/http/errors.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { isLastAdmin } from "../../users/last-admin.store.ts";
import { isReauthenticated } from "../account/reauthentication.store.ts";
import { type Erasure, eraseAccount, identifierSnapshot } from "./account-erasure.store.ts";

type DeletionDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** The error code of the first reason why the row of `users` may not be deleted; NULL if there is none. */
function obstacleOf(deps: DeletionDeps, caller: AccessClaims, verifiedCid: string | undefined): SQL<ErrorCode | null> {
  return sql`(case when not ${isReauthenticated(deps, caller, verifiedCid)} then 'reauthentication_required'
    when exists (select 1 from rentals indexed by rentals_open where rentals.user_id = users.id
      and rentals.started_at is not null and rentals.returned_at is null) then 'open_rental'
    when exists (select 1 from wallets where wallets.user_id = users.id and wallets.balance_minor < 0) then 'debt_due'
    when ${isLastAdmin} then 'last_admin' end)`;
}

function selectDeletable(deps: DeletionDeps, caller: AccessClaims, verifiedCid: string | undefined) {
  return deps.db
    .select({
      obstacle: obstacleOf(deps, caller, verifiedCid).as("obstacle"),
      snapshot: identifierSnapshot.as("snapshot"),
    })
    .from(users)
    .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller)));
}

/** The obstacle to the caller's deletion and the identity snapshot; undefined if the session has ended. */
export async function findDeletable(deps: DeletionDeps, caller: AccessClaims, verifiedCid: string | undefined) {
  const { found } = await runBatch(deps, { found: selectDeletable(deps, caller, verifiedCid) });
  return found[0];
}

/**
 * Deletes the caller's account in one transaction. Changes nothing unless the caller is signed in, there is no obstacle
 * and the identifiers still match the snapshot that `erasure` was prepared from.
 *
 * @returns `isDeleted` with the events to publish; else `found`, as `findDeletable` returns it.
 */
export async function deleteAccount(
  deps: DeletionDeps,
  caller: AccessClaims,
  verifiedCid: string | undefined,
  erasure: Erasure,
) {
  const tombstoneId = deps.newId();
  const mayErase = sql`${obstacleOf(deps, caller, verifiedCid)} is null and ${isSignedIn(deps, caller)}`;
  const writes = eraseAccount(deps, erasure, tombstoneId, mayErase);
  const reads = {
    tombstones: selectAudit(deps, caller.userId, tombstoneId),
    found: selectDeletable(deps, caller, verifiedCid),
  };
  const outcome = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ tombstones }) => tombstones.length > 0,
  });
  return {
    isDeleted: outcome.tombstones.length > 0,
    events: eventsOf(outcome.deletedEvent, outcome.cleanupEvent, outcome.revocationEvent),
    found: outcome.found[0],
  };
}
