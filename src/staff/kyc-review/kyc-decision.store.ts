import { and, eq, type SQL, sql } from "drizzle-orm";
import { kyc } from "../../db/kyc-schema.ts";
import { auditLogs } from "../../db/platform-schema.ts";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { instantOf, mergeStatements } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { Text } from "../../platform/http/locale.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { isRecorded, recordStaffView } from "../../sessions/staff-views.store.ts";
import { auditedKyc } from "../../users/kyc/kyc.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { commitStaffBatch } from "../staff-batch.store.ts";

type DecisionDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log" | "config">;

/** What a reviewer does with a KYC: decides it, or takes a decision back (PENDING). */
export type Decision = {
  userId: string;
  /** The version that the reviewer saw; undefined for any version. */
  version: number | undefined;
} & (
  | { status: "APPROVED" }
  /** `standard` is written in the person's language; `own` is the reviewer's text. At least one of them is set. */
  | { status: "REJECTED"; standard: Text | undefined; own: string | undefined }
  | { status: "PENDING"; reason: string }
);

/** The reviewer has opened each file of the KYC since it was submitted. */
function isViewedBy(reviewer: StaffClaims): SQL {
  return sql`(select count(*) from kyc_document_views v
    where v.document_id in (kyc.front_document_id, kyc.back_document_id) and v.viewer_id = ${reviewer.userId}
      and v.viewed_at >= kyc.submitted_at) = 1 + (kyc.back_document_id is not null)`;
}

/** The KYC's row permits the decision. */
function isPermitted(deps: DecisionDeps, caller: StaffClaims, { status, version }: Decision): SQL {
  const isVersion = version === undefined ? sql`true` : sql`kyc.version = ${version}`;
  if (status === "PENDING") return sql`kyc.status in ('APPROVED', 'REJECTED') and ${isVersion}`;
  if (status === "REJECTED") return sql`kyc.status = 'PENDING' and ${isVersion}`;
  const isAnothers = needsColleague(deps) ? sql`kyc.first_approved_by is not ${caller.userId}` : sql`true`;
  return sql`kyc.status = 'PENDING' and ${isVersion} and ${isAnothers} and ${isViewedBy(caller)}`;
}

const needsColleague = ({ config }: Pick<Deps, "config">) => config.kycApprovals > 1;

/** The columns that a decision sets; SQL sees the row before the change. */
function columnsOf(deps: DecisionDeps, caller: StaffClaims, decision: Decision) {
  const now = instantOf(deps.now());
  const forgotten = { verifiedAt: null, firstApprovedBy: null, firstApprovedAt: null };
  if (decision.status === "PENDING") {
    return {
      ...forgotten,
      status: "PENDING",
      rejectionReason: null,
      version: sql`kyc.version + 1`,
      submittedAt: now,
    } as const;
  }
  if (decision.status === "REJECTED") {
    return { ...forgotten, status: "REJECTED", rejectionReason: reasonOf(decision) } as const;
  }
  if (!needsColleague(deps)) return { status: "APPROVED", rejectionReason: null, verifiedAt: now } as const;
  const ifSecond = (value: SQL, otherwise: SQL) =>
    sql`case when kyc.first_approved_by is null then ${otherwise} else ${value} end`;
  return {
    status: ifSecond(sql`'APPROVED'`, sql`'PENDING'`),
    rejectionReason: null,
    verifiedAt: ifSecond(now, sql`null`),
    firstApprovedBy: sql`coalesce(kyc.first_approved_by, ${caller.userId})`,
    firstApprovedAt: sql`coalesce(kyc.first_approved_at, ${now})`,
  };
}

/** The standard text in the person's language and the reviewer's own, with a space between. */
function reasonOf({ userId, standard, own }: Extract<Decision, { status: "REJECTED" }>): SQL {
  if (!standard) return sql`${own ?? null}`;
  const inTheirs = sql`(select case users.locale when 'ne' then ${standard.ne} else ${standard.en} end
    from users where users.id = ${userId})`;
  return own === undefined ? inTheirs : sql`${inTheirs} || ' ' || ${own}`;
}

/**
 * Makes a decision about a KYC, with audit row and events, in one transaction. With two approvals needed, the first one
 * leaves the KYC PENDING, and only another reviewer's completes it. Changes nothing if the caller may not change the
 * account, names another version, or approves files that they have not opened.
 *
 * @returns `isDone`; the rows that explain a refusal: the caller's, the submitter's role, and the KYC after the change;
 *   `isRecorded`, whether the caller may see the KYC's number; `events`, those to publish.
 */
export async function decideKyc(deps: DecisionDeps, client: Client, caller: StaffClaims, decision: Decision) {
  const { userId, status } = decision;
  const auditId = deps.newId();
  const columns = columnsOf(deps, caller, decision);
  const isDone = isAudited(userId, auditId);
  const viewId = deps.newId();
  const own = sql`from kyc where kyc.user_id = ${userId}`;
  const audited = status === "PENDING" ? sql`json_set(${auditedKyc}, '$.reason', ${decision.reason})` : auditedKyc;
  const found = await commitStaffBatch(
    deps,
    caller,
    ({ mayChange }) => ({
      writes: mergeStatements(
        {
          audit: recordAudit(
            deps,
            client,
            {
              id: auditId,
              userId,
              action: "UPDATE",
              entityType: "kyc",
              entityId: sql`(select kyc.id ${own})`,
              oldValues: sql`(select ${auditedKyc} ${own})`,
              actorId: caller.userId,
              byStaff: true,
              sessionId: caller.sessionId,
            },
            sql`${mayChange(userId)} and exists (select 1 ${own} and ${isPermitted(deps, caller, decision)})`,
          ),
          decided: deps.db
            .update(kyc)
            .set({
              ...columns,
              changedBy: deps.invocationId,
              updatedAt: instantOf(deps.now()),
            })
            .where(and(eq(kyc.userId, userId), isDone)),
          auditedChange: deps.db
            .update(auditLogs)
            .set({ newValues: sql`(select ${audited} ${own})` })
            .where(and(eq(auditLogs.userId, userId), eq(auditLogs.id, auditId))),
        },
        changeUser(deps, userId, isDone),
        {
          // The answer shows the document number.
          view: recordStaffView(
            deps,
            client,
            caller,
            { id: viewId, userId, entityType: "kyc", entityId: sql`(select kyc.id ${own})` },
            isDone,
          ),
          decisionEvent:
            status === "PENDING"
              ? undefined
              : recordEvent(
                  deps,
                  {
                    type: "kyc.decided",
                    userId,
                    payload: sql`json_object('user_id', ${userId}, 'status', ${status}, 'kyc_id', (select kyc.id ${own}))`,
                    queue: "tasks",
                  },
                  // A first approval of two leaves the KYC undecided.
                  sql`${isDone} and exists (select 1 ${own} and kyc.status = ${status})`,
                ),
        },
      ),
      reads: {
        kyc: deps.db.select().from(kyc).where(eq(kyc.userId, userId)),
        target: deps.db.select({ role: users.role }).from(users).where(eq(users.id, userId)),
        done: selectAudit(deps, userId, auditId),
        recorded: deps.db.select({ one: sql<number>`1` }).from(sql`(select 1)`).where(isRecorded(caller, viewId)),
      },
    }),
    ({ done }) => done.length > 0,
  );
  return {
    isDone: found.done.length > 0,
    caller: found.caller,
    kyc: found.kyc[0],
    target: found.target[0],
    isRecorded: found.recorded.length > 0,
    events: eventsOf(found.changeEvent, found.decisionEvent),
  };
}
