/** A message to one person. */
export interface OutgoingMessage {
  /** The event's id; a provider that knows idempotency keys gets it as one. */
  id: string;
  channel: "sms" | "email" | "push";
  /** E.164 number, e-mail address or push token. */
  to: string;
  /** Whom the address belongs to, where one person may have several: all of them are one recipient. */
  userId?: string;
  /** What the message is a copy of: a device shows one push of each, the newest. The message's own id where absent. */
  cause?: string;
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

/**
 * What a provider's answer is about, which decides what follows. Each provider has one table that maps its documented
 * codes to these.
 *
 * | verdict | about | the message | the address | the breaker |
 * |---|---|---|---|---|
 * | gone | recipient | given up | forgotten | as after a success |
 * | unreachable | recipient | given up | kept | as after a success |
 * | busy | recipient | tried again | kept | as after a success |
 * | doubtful | recipient | may have arrived: tried once more at most | kept | as after a success |
 * | platform | the recipient's platform | tried again; alert | kept | as after a success |
 * | malformed | message | given up; alert | kept | as after a success |
 * | ours | our credentials or quota | tried again; alert | kept | counts |
 * | refused | service | certainly not taken: tried again | kept | counts |
 * | unknown | service | may have been taken: tried once more at most | kept | counts |
 */
export type Verdict =
  | "gone"
  | "unreachable"
  | "busy"
  | "doubtful"
  | "platform"
  | "malformed"
  | "ours"
  | "refused"
  | "unknown";

/** What came of giving a message to a provider. `reason` is for the log: no word of the message, or of the answer. */
export type SendOutcome = { kind: "sent" } | { kind: Verdict; reason: string };

export type Refusal = Exclude<SendOutcome, { kind: "sent" }>;

/** Whether the answer says that no later try of this message reaches this address. */
export const isFinal = ({ kind }: SendOutcome): boolean => ["gone", "unreachable", "malformed"].includes(kind);
/** Whether nobody can know if the message was taken. */
export const isUncertain = ({ kind }: SendOutcome): boolean => kind === "unknown" || kind === "doubtful";
/** Whether the answer counts against the provider: it is about the service or about us, not about one recipient. */
export const isProvidersFault = ({ kind }: SendOutcome): boolean => ["ours", "refused", "unknown"].includes(kind);
/** Whether only somebody who operates the service can mend what the answer says. */
export const needsOperator = ({ kind }: SendOutcome): boolean => ["platform", "malformed", "ours"].includes(kind);

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
export const answered = (kind: Verdict, reason: string): Refusal => ({ kind, reason });
export const unknown = (reason: string): Refusal => answered("unknown", reason);
