export interface OutgoingMessage {
  /** The event's id. Providers that support idempotency keys get it as one. */
  id: string;
  channel: "sms" | "email" | "push";
  /** E.164 number, e-mail address or push token. */
  to: string;
  /**
   * The owner of the address, if one person may have several addresses. The circuit breaker counts them as one
   * recipient.
   */
  userId?: string;
  /**
   * Id of the event that the message announces: a device shows only the newest push of each. Defaults to the message's
   * own id.
   */
  cause?: string;
  /** Subject of an e-mail or title of a push notification. */
  title?: string;
  text: string;
  /** Ids for the app that receives the push; never personal data (MASVS-STORAGE-2). */
  data?: Record<string, string>;
  /** The one-time code in the text, if it carries one. */
  code?: string;
  /** Time from which the message is no longer sent (epoch ms). */
  expiresAt?: number;
}

/**
 * What a provider's answer concerns, which decides what happens next. Each provider has one table that maps its
 * documented codes to these.
 *
 * | verdict | concerns | message | address | circuit breaker |
 * |---|---|---|---|---|
 * | gone | recipient | closed | forgotten | success |
 * | unreachable | recipient | closed | kept | success |
 * | busy | recipient | retried | kept | success |
 * | doubtful | recipient | may have arrived: retried at most once | kept | success |
 * | platform | the recipient's platform | retried; alert | kept | success |
 * | malformed | message | closed; alert | kept | success |
 * | ours | our credentials or quota | retried; alert | kept | failure |
 * | refused | service | not accepted: retried | kept | failure |
 * | unknown | service | may have been accepted: retried at most once | kept | failure |
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

/** Result of one provider call. `reason` is for the log and contains no text of the message or the answer. */
export type SendOutcome = { kind: "sent" } | { kind: Verdict; reason: string };

export type Refusal = Exclude<SendOutcome, { kind: "sent" }>;

/** Whether no later attempt can deliver this message to this address. */
export const isFinal = ({ kind }: SendOutcome): boolean => ["gone", "unreachable", "malformed"].includes(kind);
/** Whether the message may or may not have been accepted. */
export const isUncertain = ({ kind }: SendOutcome): boolean => kind === "unknown" || kind === "doubtful";
/**
 * Whether the answer counts as a failure of the provider: it concerns the service or our account, not one recipient.
 */
export const isProvidersFault = ({ kind }: SendOutcome): boolean => ["ours", "refused", "unknown"].includes(kind);
/** Whether an operator has to act on the answer. */
export const needsOperator = ({ kind }: SendOutcome): boolean => ["platform", "malformed", "ours"].includes(kind);

/** A service that delivers messages of one channel. */
export interface MessageProvider {
  name: string;
  /** Whether the provider supports the address. */
  reaches(to: string): boolean;
  send(message: OutgoingMessage): Promise<SendOutcome>;
  /** Set if messages go to the local database, which needs no circuit breaker. */
  isLocal?: true;
}

export const sent: SendOutcome = { kind: "sent" };
export const answered = (kind: Verdict, reason: string): Refusal => ({ kind, reason });
export const unknown = (reason: string): Refusal => answered("unknown", reason);
