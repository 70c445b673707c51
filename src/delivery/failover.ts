import { raiseAlert } from "../platform/alerts.ts";
import type { Deps } from "../platform/deps.ts";
import { admitCall, recipientKey, recordFailure, recordSuccess } from "./breaker.store.ts";
import { renewClaim } from "./delivery.store.ts";
import {
  answered,
  isFinal,
  isProvidersFault,
  isUncertain,
  type MessageProvider,
  needsOperator,
  type OutgoingMessage,
  type SendOutcome,
  unknown,
} from "./message-provider.ts";
import { takeCall } from "./send-budget.store.ts";

type FailoverDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "log" | "invocationId">;

/**
 * The budget does not allow the call. The message is not retried, because a code expires before the budget is renewed.
 */
interface Dropped {
  kind: "dropped";
  reason: string;
}

export type FailoverOutcome = (SendOutcome | Dropped) & {
  /** The last provider that was called; undefined if none was. */
  provider?: string;
};

/**
 * Tries the providers in order until one accepts the message or reports that it can never be delivered. On any other
 * answer the next provider is tried. If the message may already have arrived, the next one is tried only while the
 * claim allows one more possible duplicate.
 *
 * @returns the outcome of the last provider that was called. Never throws.
 */
export async function sendWithFailover(
  deps: FailoverDeps,
  providers: MessageProvider[],
  message: OutgoingMessage,
): Promise<FailoverOutcome> {
  let last: (SendOutcome & { provider: string }) | undefined;
  for (const provider of providers) {
    if (message.expiresAt !== undefined && message.expiresAt <= deps.now())
      return last ?? answered("refused", "expired");
    if (!(await isAdmitted(deps, provider, message))) continue;
    if (last && !(await mayTryNextProvider(deps, message, last))) return last;
    const withheld = await takeFromBudget(deps, message);
    if (withheld) return withheld;
    last = { ...(await callProvider(deps, provider, message)), provider: provider.name };
    if (last.kind === "sent" || isFinal(last)) return last;
  }
  return last ?? answered("refused", "no provider is open");
}

/** If the breaker cannot be read, the provider is skipped and the message is retried later. */
async function isAdmitted(deps: FailoverDeps, provider: MessageProvider, message: OutgoingMessage): Promise<boolean> {
  if (provider.isLocal) return true;
  const recipient = await recipientKey(message);
  const admitted = await admitCall(deps, provider.name, recipient).catch(() => false);
  if (!admitted) raiseAlert(deps, "delivery_skipped", { provider: provider.name, event_id: message.id });
  return admitted;
}

async function mayTryNextProvider(deps: FailoverDeps, message: OutgoingMessage, last: SendOutcome): Promise<boolean> {
  return renewClaim(deps, message.id, { wasUncertain: isUncertain(last) }).catch(() => false);
}

/**
 * Counts the call against the daily budget; undefined if the call may be made. If it cannot be counted, the call is not
 * made and the outcome is `refused`, so that the message is retried and the attempt added by a renewed claim is given
 * back.
 */
async function takeFromBudget(
  deps: FailoverDeps,
  { id, channel, to, code }: OutgoingMessage,
): Promise<SendOutcome | Dropped | undefined> {
  // Only e-mails that carry a code count: anybody can trigger them. A security notice is never withheld because codes
  // used up the budget.
  if (channel === "push" || (channel === "email" && code === undefined)) return undefined;
  const share = await takeCall(deps, channel, to).catch(() => undefined);
  if (share === "taken") return undefined;
  if (share === undefined) return answered("refused", `the ${channel} budget cannot be counted`);
  deps.log.warn(`${channel}_dropped`, { event_id: id, reason: share });
  return { kind: "dropped", reason: `${channel} budget ${share}` };
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
  const isFailure = isProvidersFault(outcome);
  const reason = outcome.kind === "sent" ? undefined : outcome.reason;
  deps.log[isFailure ? "warn" : "info"]("delivery_try", {
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
  // A failure to update the breaker does not change the message's outcome.
  if (!provider.isLocal) {
    const recipient = await recipientKey(message);
    const counted = isFailure ? recordFailure(deps, provider.name, recipient) : recordSuccess(deps, provider.name);
    await counted.catch(() => undefined);
  }
  return outcome;
}
