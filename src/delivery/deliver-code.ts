import { raiseAlert } from "../platform/alerts.ts";
import { open } from "../platform/crypto.ts";
import { type EventMessage, sendEach } from "../platform/data/send-events.ts";
import type { Deps } from "../platform/deps.ts";
import { describeError } from "../platform/log.ts";
import { firstIdAt } from "../platform/uuid.ts";
import { type CodeState, codeDelivery } from "./code-delivery.store.ts";
import { type DeliverDeps, type DeliveryResult, deliverTo } from "./deliver.ts";
import type { OutgoingMessage } from "./message-provider.ts";
import { otpEmail, otpText } from "./messages.ts";

/** A code whose message is to be sent. The code itself stays in its challenge's row, sealed. */
export interface DueCode {
  cid: string;
  /** The identifier: E.164 number or e-mail address. */
  to: string;
  createdAt: number;
  expiresAt: number;
}

/** Event type of the queue message. */
export const CODE_DUE = "otp.requested";
/** Seconds between attempts; a code expires after five minutes. */
export const CODE_RETRY_SECONDS = 3;

/** Id of a code's message, the same for every attempt; sorts by time. */
const messageIdOf = ({ cid, createdAt }: DueCode) => `${firstIdAt(createdAt)}-${cid}`;

/**
 * Sends the code, as `deliverTo` does.
 *
 * @param bornClaim as for `codeDelivery`.
 */
export function deliverCode(deps: DeliverDeps, code: DueCode, bornClaim?: string): Promise<DeliveryResult> {
  const id = messageIdOf(code);
  const channel = code.to.startsWith("+") ? "sms" : "email";
  const compose = async ({
    secretId,
    sealedCode,
    cid,
    locale,
    isForChange,
  }: CodeState): Promise<OutgoingMessage | undefined> => {
    const key = deps.keyring.secrets.get(secretId)?.sealing;
    if (!key || sealedCode === null || locale === null) return undefined;
    const digits = await open(key, sealedCode, cid);
    const what = isForChange ? "change" : "sign-in";
    const content =
      channel === "sms"
        ? { text: otpText(locale, deps.config, digits, what) }
        : otpEmail(locale, deps.config, digits, what);
    return { id, channel, to: code.to, expiresAt: code.expiresAt, code: digits, ...content };
  };
  const recipient = { id, channel, to: code.to, hasCode: true } as const;
  return deliverTo(deps, codeDelivery(deps, code, bornClaim), recipient, compose);
}

/**
 * Sends a code that this invocation has just recorded, and leaves it to the queue if that does not succeed at once.
 * Never throws: if the queue fails too, the minute tick sends the message.
 *
 * @param bornClaim the claim with which the code was recorded.
 */
export async function sendCodeNow(
  deps: DeliverDeps & Pick<Deps, "queues">,
  code: DueCode,
  bornClaim: string,
): Promise<void> {
  const { isDone, note } = await deliverCode(deps, code, bornClaim).catch((error: unknown) => ({
    isDone: false,
    note: describeError(error),
  }));
  deps.log.info("code_sent", { event_id: messageIdOf(code), done: isDone, note });
  if (!isDone) await queueCodes(deps, [code], CODE_RETRY_SECONDS);
}

/**
 * Sends the codes' messages to the queue. Never throws.
 *
 * @returns the number of messages that the queue accepted.
 */
export async function queueCodes(
  deps: Pick<Deps, "queues" | "log">,
  codes: readonly DueCode[],
  delaySeconds = 0,
): Promise<number> {
  const { accepted, refused } = await sendEach(deps, "otp", codes.map(toMessage), delaySeconds);
  if (refused[0]) {
    raiseAlert(deps, "publish_failed", { queue: "otp", events: refused.length, reason: refused[0].reason });
  }
  return accepted;
}

function toMessage(code: DueCode): EventMessage {
  const { cid, to, createdAt, expiresAt } = code;
  const payload = JSON.stringify({ cid, to, created_at: createdAt, expires_at: expiresAt });
  return { event_id: messageIdOf(code), type: CODE_DUE, user_id: null, payload, created_at: createdAt };
}
