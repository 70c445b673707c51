import { raiseAlert } from "../platform/alerts.ts";
import type { Deps } from "../platform/deps.ts";
import {
  claimDelivery,
  closeDelivery,
  recordDelivered,
  recordUnknownOutcome,
  releaseDelivery,
} from "./delivery.store.ts";
import { sendWithFailover } from "./failover.ts";
import { isFinal, isUncertain, type OutgoingMessage } from "./message-provider.ts";
import { listProviders, type ProviderDeps } from "./providers.ts";

/**
 * `isDone`: the message needs no further attempt. `note`: for the log. `isGone`: the provider reported that the address
 * no longer exists.
 */
export interface DeliveryResult {
  isDone: boolean;
  note: string;
  isGone?: boolean;
}

type DeliverDeps = ProviderDeps & Pick<Deps, "newId" | "invocationId">;

/**
 * Sends a message at most once under normal operation: it is claimed before a provider is called, and any provider of
 * its channel may send it. After a lost answer the recipient may get it twice, never three times.
 *
 * @param forget called when the address no longer exists, before the message is closed. If it throws, the message is
 *   retried and `forget` is called again.
 */
export async function deliver(
  deps: DeliverDeps,
  message: OutgoingMessage,
  forget?: () => Promise<void>,
): Promise<DeliveryResult> {
  const providers = listProviders(deps, message.channel, message.to);
  if (providers.length === 0) return { isDone: false, note: "no provider" };
  const claim = await claimDelivery(deps, message.id);
  if (claim === "exhausted") raiseAlert(deps, "delivery_unknown", { event_id: message.id });
  if (claim !== "claimed") return { isDone: claim !== "busy", note: claim };
  const outcome = await sendWithFailover(deps, providers, message);
  if (outcome.kind === "sent") {
    await recordDelivered(deps, message.id);
    return { isDone: true, note: `sent by ${outcome.provider}` };
  }
  if (outcome.kind === "dropped") {
    await closeDelivery(deps, message.id);
    return { isDone: true, note: `dropped: ${outcome.reason}` };
  }
  if (isFinal(outcome)) {
    const isGone = outcome.kind === "gone";
    if (isGone) await forget?.();
    await closeDelivery(deps, message.id);
    return { isDone: true, note: "undeliverable", isGone };
  }
  await (isUncertain(outcome) ? recordUnknownOutcome : releaseDelivery)(deps, message.id);
  return { isDone: false, note: `${outcome.kind}: ${outcome.reason}` };
}
