import { raiseAlert } from "../platform/alerts.ts";
import type { Deps } from "../platform/deps.ts";
import type { CalledProvider } from "./breaker.store.ts";
import type { DeliveryRecord, DeliveryState } from "./delivery-record.ts";
import {
  isFinal,
  isProvidersFault,
  isUncertain,
  type MessageProvider,
  needsOperator,
  type OutgoingMessage,
  type SendOutcome,
  unknown,
} from "./message-provider.ts";
import { type Recipient, type Reservation, reserveNextCall } from "./reserve-call.store.ts";

type FailoverDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "log">;

/**
 * The budget does not allow the call, or the message cannot be composed. A code is not retried, because it expires
 * before the budget is renewed; other messages are.
 */
interface Dropped {
  kind: "dropped";
  reason: string;
}

/** How an attempt ended, the provider that accepted the message, and the last call if it is not recorded yet. */
export interface FailoverOutcome {
  outcome: (SendOutcome & { provider: string }) | Dropped;
  claimIds: string[];
  called: CalledProvider | undefined;
}

type Reserved<Row> = Exclude<Reservation<Row>, { kind: "unavailable" }>;

/**
 * Calls the reserved provider and then, until one accepts the message or reports that it can never be delivered, the
 * next one that is admitted. If the message may already have arrived, the next one is called only while the claim
 * allows one more possible duplicate.
 *
 * @param compose as for `deliverTo`.
 * @returns the outcome of the last call, or `dropped` if budget or message allowed no further call. Never throws.
 */
export async function sendWithFailover<Row extends DeliveryState>(
  deps: FailoverDeps,
  record: DeliveryRecord<Row>,
  providers: MessageProvider[],
  recipient: Recipient,
  compose: (row: Row) => Promise<OutgoingMessage | undefined>,
  first: Reserved<Row>,
): Promise<FailoverOutcome> {
  let reserved = first;
  let untried = providers;
  let message: OutgoingMessage | undefined;
  for (;;) {
    const { claimIds } = reserved;
    if (reserved.kind === "withheld") {
      deps.log.warn(`${recipient.channel}_dropped`, { event_id: recipient.id, reason: reserved.reason });
      const reason = `${recipient.channel} budget ${reserved.reason}`;
      return { outcome: { kind: "dropped", reason }, claimIds, called: undefined };
    }
    message ??= await compose(reserved.row).catch(() => undefined);
    if (!message) return { outcome: { kind: "dropped", reason: "unreadable" }, claimIds, called: undefined };
    const { provider: name } = reserved;
    const at = untried.findIndex((each) => each.name === name);
    const provider = untried[at];
    if (!provider) throw new Error(`${name} is no provider of the message`);
    untried = untried.slice(at + 1);
    const outcome = { ...(await callProvider(deps, provider, message)), provider: name };
    const called = provider.isLocal ? undefined : { name, hasFailed: isProvidersFault(outcome) };
    const isExpired = message.expiresAt !== undefined && message.expiresAt <= deps.now();
    const next =
      outcome.kind === "sent" || isFinal(outcome) || untried.length === 0 || isExpired
        ? undefined
        : await reserveNextCall(
            deps,
            record,
            recipient,
            untried.map((each) => each.name),
            { claimIds, wasUncertain: isUncertain(outcome), called },
          ).catch(() => undefined);
    if (!next) return { outcome, claimIds, called };
    if (next.kind === "unavailable") return { outcome, claimIds, called: undefined };
    reserved = next;
  }
}

async function callProvider(
  deps: FailoverDeps,
  provider: MessageProvider,
  message: OutgoingMessage,
): Promise<SendOutcome> {
  const startedAt = deps.now();
  const outcome = await provider
    .send(message)
    .catch((error: unknown) => unknown(error instanceof Error ? error.name : "not an Error"));
  const reason = outcome.kind === "sent" ? undefined : outcome.reason;
  deps.log[isProvidersFault(outcome) ? "warn" : "info"]("delivery_try", {
    provider: provider.name,
    channel: message.channel,
    event_id: message.id,
    outcome: outcome.kind,
    reason,
    duration_ms: deps.now() - startedAt,
  });
  if (needsOperator(outcome)) {
    const name = outcome.kind === "malformed" ? "delivery_malformed" : "delivery_refused";
    raiseAlert(deps, name, { provider: provider.name, event_id: message.id, reason });
  }
  return outcome;
}
