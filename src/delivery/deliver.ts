import { raiseAlert } from "../platform/alerts.ts";
import type { Deps } from "../platform/deps.ts";
import type { DeliveryRecord, DeliveryState, Settlement } from "./delivery-record.ts";
import { type FailoverOutcome, sendWithFailover } from "./failover.ts";
import { isFinal, isUncertain, type OutgoingMessage } from "./message-provider.ts";
import { listProviders, type ProviderDeps } from "./providers.ts";
import { type Recipient, reserveFirstCall } from "./reserve-call.store.ts";
import { settleCall } from "./settle-call.store.ts";

/**
 * `isDone`: the message needs no further attempt. `note`: for the log. `isGone`: the provider reported that the address
 * no longer exists.
 */
export interface DeliveryResult {
  isDone: boolean;
  note: string;
  isGone?: boolean;
}

export type DeliverDeps = ProviderDeps & Pick<Deps, "newId">;

/**
 * Sends a message as `deliverTo` does.
 *
 * @param forget called when the address no longer exists, before the message is closed. If it throws, the message is
 *   released and retried, so `forget` is called again until it succeeds.
 */
export function deliver(
  deps: DeliverDeps,
  record: DeliveryRecord<DeliveryState>,
  message: OutgoingMessage,
  forget?: () => Promise<void>,
): Promise<DeliveryResult> {
  const recipient = { ...message, hasCode: message.code !== undefined };
  return deliverTo(deps, record, recipient, async () => message, forget);
}

/**
 * Sends a message at most once under normal operation, with one batch before the provider's call (claim, breaker,
 * budget) and one after it (outcome, breaker); any provider of its channel may send it. After a lost answer the
 * recipient may get it twice, never three times.
 *
 * @param compose builds the message from the row that records its delivery; undefined if that is impossible.
 * @throws AppError `service_unavailable`; the message is to be retried.
 */
export async function deliverTo<Row extends DeliveryState>(
  deps: DeliverDeps,
  record: DeliveryRecord<Row>,
  recipient: Recipient,
  compose: (row: Row) => Promise<OutgoingMessage | undefined>,
  forget?: () => Promise<void>,
): Promise<DeliveryResult> {
  const providers = listProviders(deps, recipient.channel, recipient.to);
  const names = providers.map(({ name }) => name);
  const { bornClaim } = record;
  /** Gives back the claim with which the message was recorded, because no provider was called. */
  const release = async () => bornClaim && settleCall(deps, record, recipient, [bornClaim], "released", undefined);
  if (names.length === 0) {
    await release();
    return { isDone: false, note: "no provider" };
  }
  const first = await reserveFirstCall(deps, record, recipient, names).catch(async (error: unknown) => {
    await release().catch(() => undefined);
    throw error;
  });
  if (first.kind === "unavailable") {
    if (first.reason === "exhausted") raiseAlert(deps, "delivery_unknown", { event_id: recipient.id });
    if (first.reason === "no provider is open") await release();
    return { isDone: !["busy", "no provider is open"].includes(first.reason), note: first.reason };
  }
  const { outcome, claimIds, called } = await sendWithFailover(deps, record, providers, recipient, compose, first);
  const isGone = outcome.kind === "gone";
  if (isGone) {
    await forget?.().catch(async (error: unknown) => {
      await settleCall(deps, record, recipient, claimIds, "released", called);
      throw error;
    });
  }
  const settlement = settlementOf(outcome, recipient);
  await settleCall(deps, record, recipient, claimIds, settlement, called);
  const isDone = settlement === "delivered" || settlement === "closed";
  return { isDone, note: noteOf(outcome), ...(isFinalOutcome(outcome) ? { isGone } : {}) };
}

const isFinalOutcome = (outcome: FailoverOutcome["outcome"]) => outcome.kind !== "dropped" && isFinal(outcome);

function settlementOf(outcome: FailoverOutcome["outcome"], { hasCode }: Recipient): Settlement {
  if (outcome.kind === "sent") return "delivered";
  // A code expires before the budget is renewed; a notice is of use even then.
  if (outcome.kind === "dropped") return hasCode ? "closed" : "released";
  if (isFinalOutcome(outcome)) return "closed";
  return isUncertain(outcome) ? "uncertain" : "released";
}

function noteOf(outcome: FailoverOutcome["outcome"]): string {
  if (outcome.kind === "sent") return `sent by ${outcome.provider}`;
  if (isFinalOutcome(outcome)) return "undeliverable";
  return `${outcome.kind}: ${outcome.reason}`;
}
