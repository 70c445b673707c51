/** A message to one person. */
export interface OutgoingMessage {
  /** The event's id; a provider that knows idempotency keys gets it as one. */
  id: string;
  channel: "sms" | "email" | "push";
  /** E.164 number, e-mail address or push token. */
  to: string;
  /** Subject of an e-mail, title of a push notification. */
  title?: string;
  text: string;
  /** Ids for the app that a push notification wakes; never anything personal (MASVS-STORAGE-2). */
  data?: Record<string, string>;
  /** The one-time code in the text, where there is one. */
  code?: string;
  /** Not sent from this instant on. */
  expiresAt?: number;
}

/** What came of giving a message to a provider. `reason` is for the log: no word of the message, or of the answer. */
export type SendOutcome =
  | { kind: "sent" }
  /** The provider certainly did not take it: another may try. */
  | { kind: "refused"; reason: string }
  /** It is about the recipient, so no provider is asked again. `isGone`: the address is dead and should be forgotten. */
  | { kind: "undeliverable"; reason: string; isGone: boolean }
  /** Nobody can know whether it was taken. */
  | { kind: "unknown"; reason: string };

/** One way for messages to reach people. */
export interface MessageProvider {
  name: string;
  /** Whether it can carry messages to the address at all. */
  reaches(to: string): boolean;
  send(message: OutgoingMessage): Promise<SendOutcome>;
  /** Stands in our own database, so no circuit breaker watches it. */
  isLocal?: true;
}

export const sent: SendOutcome = { kind: "sent" };
export const refused = (reason: string): SendOutcome => ({ kind: "refused", reason });
export const unknown = (reason: string): SendOutcome => ({ kind: "unknown", reason });
export const undeliverable = (reason: string, isGone = false): SendOutcome => ({
  kind: "undeliverable",
  reason,
  isGone,
});
