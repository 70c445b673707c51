import type { SQL } from "drizzle-orm";
import type { Statement } from "../platform/data/prepared.ts";

/** How long a claim lasts before another invocation may take the message, in milliseconds. */
export const CLAIM_MS = 30_000;
/** How long the minute tick leaves a code to its request or to the queue before it sends it to the queue (again). */
export const PUBLISH_AFTER_MS = 30_000;
/** Maximum number of attempts with an unknown outcome per message: the second may duplicate it, a third is not made. */
export const MAX_UNCERTAIN_ATTEMPTS = 2;

/** State of a message's delivery. */
export interface DeliveryState {
  /** Claim that holds the message, or held it last. */
  claimedBy: string | null;
  /** When the claim ends (epoch ms); in the past if nobody holds the message. */
  claimedUntil: number;
  /** Number of attempts with an unknown outcome, the current one included; each may have reached the recipient. */
  attempts: number;
  deliveredAt: number | null;
  /** Set if the recipient cannot be reached or the budget is spent; the message is not retried. */
  undeliverableAt: number | null;
}

/**
 * How an attempt ended. `closed`: no further attempt is made. `released`: the message was definitely not sent, so the
 * attempt does not count. `uncertain`: the attempt counts as one that may have reached the recipient.
 */
export type Settlement = "delivered" | "closed" | "released" | "uncertain";

/**
 * The row that records the delivery of one message, as statements and conditions of a batch. Each claim has its own id,
 * and every change is a compare-and-set on it. Of all invocations with a copy of the message, only one at a time may
 * therefore call a provider, and none after delivery.
 */
export interface DeliveryRecord<Row extends DeliveryState> {
  /** Claim that this invocation already holds, because it recorded the message together with it. */
  bornClaim?: string | undefined;
  /** Claims the message if nobody holds it, it may be sent once more, and `condition` holds. */
  claim(claimId: string, condition: SQL): Statement;
  /**
   * Replaces the claim `from` by a new one for the next call if `condition` holds.
   *
   * @param added 1 if the last call may have reached the recipient, which counts as another attempt.
   */
  renew(from: string, claimId: string, added: 0 | 1, condition: SQL): Statement;
  /** The claim holds the message. */
  isClaimedBy(claimId: string): SQL;
  /** Reads the row. */
  find(): Statement & { _: { result: Row[] } };
  /**
   * Records how the attempt ended, if one of its claims holds the message and was not released. Repeating it changes
   * nothing, so an attempt is given back once, even if the first answer was lost.
   */
  settle(claimIds: string[], settlement: Settlement): Statement;
}
