import { and, asc, desc, eq, type SQL, sql } from "drizzle-orm";
import { identityChanges } from "../../db/identity-schema.ts";
import { familiarNetworks } from "../../db/sign-in-schema.ts";
import { devices, profiles, referrals, users } from "../../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { mergeStatements, type Results, runBatch } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { ErrorCode } from "../../platform/http/errors.ts";
import { firstIdInWindow } from "../../platform/uuid.ts";
import { isProvedRecently } from "../../sessions/recent-proof.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { selectOwnKyc } from "../../users/kyc/kyc.store.ts";
import { selectUsage } from "../../users/usage.store.ts";
import { userFields } from "../../users/user.store.ts";
import { selectWallet } from "../../users/wallet.store.ts";
import { selectIdentity } from "../identity/identity.store.ts";
import { EXPORT_PAGE, exportsPerDay } from "./export-limits.ts";
import { type Positions, pageOfLists, selectLists } from "./export-lists.store.ts";

type ExportDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "invocationId" | "log">;

/** The FROM and WHERE clauses of the user's exports in the last day. */
const recentExports = (deps: ExportDeps, userId: string) =>
  sql`from audit_logs where user_id = ${userId} and id > ${firstIdInWindow(deps.now(), exportsPerDay.windowMs)}
    and entity_type = 'export' and actor_id = ${userId}`;

const isBeyondLimit = (deps: ExportDeps, userId: string) =>
  sql`(select count(*) ${recentExports(deps, userId)}) >= ${exportsPerDay.count}`;

/** The caller's session is live and was proved a short time ago. */
const mayExport = (deps: ExportDeps, caller: AccessClaims) =>
  sql`(${isSignedIn(deps, caller)} and ${isProvedRecently(deps, caller)})`;

/**
 * Selects why the caller may not start or continue an export, and up to which notification all are read; no row if the
 * session has ended.
 */
function selectState(deps: ExportDeps, caller: AccessClaims) {
  const { userId } = caller;
  const obstacle = sql<ErrorCode | null>`(case when not ${isProvedRecently(deps, caller)} then 'reauthentication_required'
    when ${isBeyondLimit(deps, userId)} then 'rate_limit_exceeded' end)`;
  const limitEndsAt = sql<number>`coalesce((select created_at + ${exportsPerDay.windowMs} ${recentExports(deps, userId)}
    order by id desc limit 1 offset ${exportsPerDay.count - 1}), 0)`;
  return deps.db
    .select({
      obstacle: obstacle.as("obstacle"),
      limitEndsAt: limitEndsAt.as("limit_ends_at"),
      readThrough: users.notificationsReadThrough,
    })
    .from(users)
    .where(and(eq(users.id, userId), isSignedIn(deps, caller)));
}

/** Selects what an export has besides its lists: the caller's KYC and identity, the rest for `owner`. */
function selectPerson(deps: ExportDeps, caller: AccessClaims, owner: SQL) {
  const ofOwner = (column: string) => sql`${sql.raw(column)} = ${owner}`;
  const verified = (kind: "email" | "phone_number", flag: "email_verified" | "phone_verified") =>
    sql`(select ${sql.raw(kind)} from users where ${ofOwner("id")} and ${sql.raw(flag)})`;
  const rest = {
    account: deps.db
      .select({
        ...userFields,
        lastLogin: users.lastLogin,
        lastActivityAt: users.lastActivityAt,
        socialProfileData: users.socialProfileData,
      })
      .from(users)
      .where(ofOwner("id")),
    profile: deps.db.select().from(profiles).where(ofOwner("user_id")),
    kyc: selectOwnKyc(deps, caller),
    wallet: selectWallet(deps, ofOwner("users.id")),
    usage: selectUsage(deps, ofOwner("users.id")),
    referral: deps.db
      .select({ status: referrals.status, createdAt: referrals.createdAt, completedAt: referrals.completedAt })
      .from(referrals)
      .where(ofOwner("invitee_id")),
    devices: deps.db.select().from(devices).where(ofOwner("user_id")).orderBy(asc(devices.deviceId)).limit(EXPORT_PAGE),
    changes: deps.db
      .select()
      .from(identityChanges)
      .where(ofOwner("user_id"))
      .orderBy(desc(identityChanges.number))
      .limit(EXPORT_PAGE),
    networks: deps.db
      .select({ network: familiarNetworks.network, lastSignInAt: familiarNetworks.lastSignInAt })
      .from(familiarNetworks)
      .where(
        sql`identifier in (${owner}, ${verified("email", "email_verified")}, ${verified("phone_number", "phone_verified")})`,
      )
      .orderBy(asc(familiarNetworks.identifier), asc(familiarNetworks.network))
      .limit(EXPORT_PAGE),
  };
  return mergeStatements(rest, selectIdentity(deps, caller));
}

/** What is held about a person, besides the lists that may be long. */
export type PersonRows = Results<ReturnType<typeof selectPerson>>;

const START: Positions = {
  ...{ sessions: "", walletTransactions: "", pointTransactions: "", rentals: "" },
  ...{ favorites: "", notifications: "", audit: "" },
};

/** The user's id if `condition` holds; NULL otherwise, so that the reads that depend on it find no rows. */
const ownerIf = (condition: SQL, userId: string) => sql`(select case when ${condition} then ${userId} end)`;

/**
 * Reads the first page of what is held about the caller, in one transaction that records it in the audit log and counts
 * it. If there is an obstacle, records nothing and reads only the identity and the KYC.
 *
 * @returns `exportId`, undefined if it was refused; `state` with the obstacle, undefined if the session has ended.
 */
export async function startExport(deps: ExportDeps, client: Client, caller: AccessClaims) {
  const { userId } = caller;
  const id = deps.newId();
  const isRecorded = isAudited(userId, id);
  const owner = ownerIf(isRecorded, userId);
  const writes = {
    exportAudit: recordAudit(
      deps,
      client,
      {
        id,
        userId,
        action: "VIEW",
        entityType: "export",
        entityId: userId,
        actorId: userId,
        sessionId: caller.sessionId,
      },
      sql`${mayExport(deps, caller)} and not ${isBeyondLimit(deps, userId)}`,
    ),
    exportedEvent: recordEvent(deps, { type: "auth.data_exported", userId, payload: "{}", queue: "tasks" }, isRecorded),
  };
  const reads = mergeStatements(
    { recorded: selectAudit(deps, userId, id), state: selectState(deps, caller) },
    selectPerson(deps, caller, owner),
    selectLists(deps, owner, START),
  );
  const found = await commit(deps, { writes, reads, isCommitted: ({ recorded }) => recorded.length > 0 });
  return {
    exportId: found.recorded[0]?.id,
    state: found.state[0],
    person: found as PersonRows,
    ...pageOfLists(found),
    events: eventsOf(found.exportedEvent),
  };
}

/** Reads a further page of an export; no rows without a recent proof. `state` is undefined if the session has ended. */
export async function continueExport(deps: ExportDeps, caller: AccessClaims, from: Positions) {
  const owner = ownerIf(mayExport(deps, caller), caller.userId);
  const found = await runBatch(
    deps,
    mergeStatements({ state: selectState(deps, caller) }, selectLists(deps, owner, from)),
  );
  return { state: found.state[0], ...pageOfLists(found) };
}
