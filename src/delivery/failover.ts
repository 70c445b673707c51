import { raiseAlert } from "../platform/alerts.ts";
import type { Deps } from "../platform/deps.ts";
import { admitTry, recipientKey, recordFailure, recordSuccess } from "./breaker.store.ts";
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

/** The day's budget leaves no call for the message: a code does not live until there is another. */
interface Dropped {
  kind: "dropped";
  reason: string;
}

export type FailoverOutcome = (SendOutcome | Dropped) & {
  /** The last provider that was asked; undefined when none was. */
  provider?: string;
};

/**
 * Gives a claimed message to the providers in their order, until one takes it or says that it never reaches its
 * recipient. Every other answer passes it on; one after which the message may have arrived, only while the claim allows one
 * more possible doubling.
 *
 * @returns what the last provider that was asked said. Never throws: what fails here was not sent by here.
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
    if (last && !(await mayTryAgain(deps, message, last))) return last;
    const withheld = await takeFromBudget(deps, message);
    if (withheld) return withheld;
    last = { ...(await tryProvider(deps, provider, message)), provider: provider.name };
    if (last.kind === "sent" || isFinal(last)) return last;
  }
  return last ?? answered("refused", "no provider is open");
}

/** A breaker that cannot be read admits nobody: the message comes again. */
async function isAdmitted(deps: FailoverDeps, provider: MessageProvider, message: OutgoingMessage): Promise<boolean> {
  if (provider.isLocal) return true;
  const recipient = await recipientKey(message);
  const admitted = await admitTry(deps, provider.name, recipient).catch(() => false);
  if (!admitted) raiseAlert(deps, "delivery_skipped", { provider: provider.name, event_id: message.id });
  return admitted;
}

async function mayTryAgain(deps: FailoverDeps, message: OutgoingMessage, last: SendOutcome): Promise<boolean> {
  return renewClaim(deps, message.id, { wasUncertain: isUncertain(last) }).catch(() => false);
}

/**
 * Counts the call that is about to be made; undefined when it may be. One that cannot be counted is not made, and the
 * message comes again: as after a refusal, since a renewed claim then has one try more to give back.
 */
async function takeFromBudget(
  deps: FailoverDeps,
  { id, channel, to, code }: OutgoingMessage,
): Promise<SendOutcome | Dropped | undefined> {
  // E-mail is counted where strangers cause it: a security notice is never withheld because codes spent the budget.
  if (channel === "push" || (channel === "email" && code === undefined)) return undefined;
  const share = await takeCall(deps, channel, to).catch(() => undefined);
  if (share === "taken") return undefined;
  if (share === undefined) return answered("refused", `the ${channel} budget cannot be counted`);
  deps.log.warn(`${channel}_dropped`, { event_id: id, reason: share });
  return { kind: "dropped", reason: `${channel} budget ${share}` };
}

async function tryProvider(
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
  // The message is on its way or not, whatever becomes of the count.
  if (!provider.isLocal) {
    const recipient = await recipientKey(message);
    const counted = isFailure ? recordFailure(deps, provider.name, recipient) : recordSuccess(deps, provider.name);
    await counted.catch(() => undefined);
  }
  return outcome;
}
