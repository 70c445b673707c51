export interface OutgoingMessage {
  /** The event's id; a provider that knows idempotency keys gets it as one. */
  id: string;
  channel: "sms" | "email" | "push";
  /** E.164 number, e-mail address or push token. */
  to: string;
  text: string;
  /** The one-time code in the text, where there is one. */
  code?: string;
}

/** Takes a message towards a person. */
export interface MessageProvider {
  name: string;
  /** @throws NotSentError when the message certainly did not leave; anything else means that nobody can know. */
  send(message: OutgoingMessage): Promise<void>;
}

/** The provider refused the message: it did not leave, and may be tried again without doubling it. */
export class NotSentError extends Error {
  override readonly name = "NotSentError";
}
