import { type SQL, sql } from "drizzle-orm";
import { raiseAlert } from "../platform/alerts.ts";
import { mergeStatements, runBatch } from "../platform/data/database.ts";
import type { Statement } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import {
  type CalledProvider,
  firstAdmitted,
  recipientKey,
  recordCall,
  reportOpening,
  startProbe,
} from "./breaker.store.ts";
import { type DeliveryRecord, type DeliveryState, MAX_UNCERTAIN_ATTEMPTS } from "./delivery-record.ts";
import type { OutgoingMessage } from "./message-provider.ts";
import { type BudgetDecision, takeCall } from "./send-budget.store.ts";

type ReserveDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "log">;

/** Whom a message is for, and through which channel. */
export type Recipient = Pick<OutgoingMessage, "id" | "channel" | "to" | "userId"> & {
  /** The message has a code, which anybody can request. Other e-mails are not counted; other SMS use the reserve. */
  hasCode: boolean;
};

/** Why no provider may be called: the message is done, held by another invocation, or no breaker admits it. */
export type Unavailable = "delivered" | "undeliverable" | "busy" | "exhausted" | "no provider is open";

/** Whether a provider may be called now, and which. `claimIds`: the claims that this invocation made. */
export type Reservation<Row> =
  | { kind: "reserved"; provider: string; row: Row; claimIds: string[] }
  | { kind: "withheld"; reason: Exclude<BudgetDecision, "taken">; claimIds: string[] }
  | { kind: "unavailable"; reason: Unavailable };

/**
 * Decides on the first call of an attempt in one batch: claims the message, chooses the first provider whose breaker
 * admits it, and takes the call from the budget. Nothing is claimed if no breaker admits the message.
 *
 * If the answer of the batch is lost but the claim was made, breaker and budget are asked again. So a call may be
 * counted twice, but is never made without being counted.
 *
 * @param names of the providers, in the order in which they are tried.
 * @throws AppError `service_unavailable` if it is unknown whether the message was claimed or the call counted.
 */
export async function reserveFirstCall<Row extends DeliveryState>(
  deps: ReserveDeps,
  record: DeliveryRecord<Row>,
  recipient: Recipient,
  names: readonly string[],
): Promise<Reservation<Row>> {
  const claimId = record.bornClaim ?? deps.newId();
  const claim = record.bornClaim === undefined ? (isAdmitted: SQL) => record.claim(claimId, isAdmitted) : undefined;
  try {
    return await reserve(deps, record, recipient, names, claimId, claim);
  } catch (error) {
    const again = await reserveNextCall(deps, record, recipient, names, { claimIds: [claimId], wasUncertain: false });
    if (again.kind === "unavailable") throw error;
    return again;
  }
}

/**
 * Decides in one batch on another call of the attempt: records the last call for its breaker, renews the claim, chooses
 * the next provider whose breaker admits the message, and takes the call from the budget.
 *
 * @returns `unavailable` also if the claim was lost, or if the last outcome was uncertain and no further attempt may
 *   reach the recipient.
 * @throws as `reserveFirstCall`.
 */
export async function reserveNextCall<Row extends DeliveryState>(
  deps: ReserveDeps,
  record: DeliveryRecord<Row>,
  recipient: Recipient,
  names: readonly string[],
  last: { claimIds: string[]; wasUncertain: boolean; called?: CalledProvider | undefined },
): Promise<Reservation<Row>> {
  const claimId = deps.newId();
  const [from = ""] = last.claimIds.slice(-1);
  // Added before the batch, so that the caller knows the claim even if the answer is lost.
  last.claimIds.push(claimId);
  const renew = (isAdmitted: SQL) => record.renew(from, claimId, last.wasUncertain ? 1 : 0, isAdmitted);
  const next = await reserve(deps, record, recipient, names, claimId, renew, last.called);
  return next.kind === "unavailable" ? next : { ...next, claimIds: last.claimIds };
}

async function reserve<Row extends DeliveryState>(
  deps: ReserveDeps,
  record: DeliveryRecord<Row>,
  recipient: Recipient,
  names: readonly string[],
  claimId: string,
  claim: ((isAdmitted: SQL) => Statement) | undefined,
  called?: CalledProvider,
): Promise<Reservation<Row>> {
  const now = deps.now();
  const { channel, to, hasCode } = recipient;
  const key = await recipientKey(recipient);
  const admitted = firstAdmitted(deps, names, key);
  const isAdmitted = sql`${admitted} is not null`;
  const isClaimed = claim ? record.isClaimedBy(claimId) : sql`${record.isClaimedBy(claimId)} and ${isAdmitted}`;
  // Only e-mails that carry a code count: anybody can trigger them. A security notice by e-mail is never withheld
  // because codes used up the budget.
  const isFree = channel === "push" || (channel === "email" && !hasCode);
  const budget = isFree ? undefined : takeCall(deps, channel, { to, hasCode }, claimId, isClaimed);
  const results = await runBatch(
    deps,
    mergeStatements(
      {
        called: called && recordCall(deps, called, key),
        chosen: deps.db.select({ provider: admitted.as("provider") }).from(sql`(select 1)`),
        claim: claim?.(isAdmitted),
      },
      budget?.statements,
      { probe: startProbe(deps, admitted, key, budget?.isTaken ?? isClaimed), found: record.find() },
    ),
  );
  reportOpening(deps, called, results.called);
  const provider = results.chosen[0]?.provider ?? null;
  const row = results.found[0];
  const isHeld = row?.claimedBy === claimId;
  const reason = isHeld ? undefined : reasonOf(row, provider, now);
  if (isHeld || reason === "no provider is open") {
    for (const name of names.slice(0, provider === null ? undefined : names.indexOf(provider)))
      raiseAlert(deps, "delivery_skipped", { provider: name, event_id: recipient.id });
  }
  if (!row || provider === null || reason) return { kind: "unavailable", reason: reason ?? "no provider is open" };
  const decision = budget ? budget.decide(results) : "taken";
  if (decision === undefined) throw new Error("a claimed call was not counted");
  if (decision !== "taken") return { kind: "withheld", reason: decision, claimIds: [claimId] };
  return { kind: "reserved", provider, row, claimIds: [claimId] };
}

function reasonOf(row: DeliveryState | undefined, provider: string | null, now: number): Unavailable {
  // A claim with an open provider inserts a missing row; only a code's row cannot be inserted, so it was deleted.
  if (!row) return provider === null ? "no provider is open" : "undeliverable";
  if (row.deliveredAt !== null) return "delivered";
  if (row.undeliverableAt !== null) return "undeliverable";
  if (row.claimedUntil > now) return "busy";
  return row.attempts >= MAX_UNCERTAIN_ATTEMPTS ? "exhausted" : "no provider is open";
}
