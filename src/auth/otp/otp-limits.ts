import { RECENT_MS } from "../../delivery/send-window.store.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../platform/time.ts";
// Every number in the rules of one-time codes; a test compares the documented limits with it.

export const otpLimits = {
  digits: 6,
  ttlMs: 5 * MINUTE_MS,
  /** Attempts per code, counted separately for known and for unknown networks. */
  attemptsPerCode: 5,
  /** How many of the newest codes an attempt is compared with. */
  liveCodes: 2,
  /** How long a network stays known to an identifier after a sign-in from it. */
  knownNetworkMs: 90 * DAY_MS,
  send: {
    /** Wait after the first, second, third and every later code within an hour. */
    gapsMs: [MINUTE_MS, MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS],
    perNetwork: { count: 3, windowMs: HOUR_MS },
    perClass: { count: 5, windowMs: HOUR_MS },
    perClassDaily: { count: 10, windowMs: DAY_MS },
    /** Codes by SMS that one network requests for any numbers; high, because many people share a carrier's network. */
    perSmsNetwork: { count: 100, windowMs: HOUR_MS },
    /** Codes by e-mail that one network requests for any addresses. */
    perEmailNetwork: { count: 100, windowMs: HOUR_MS },
    /** Codes of one IPv6 /64 per hour that count towards its /56 and /48. */
    perSubnet: 50,
    /** Codes by SMS to one number range: the numbers that differ only in their last `hiddenDigits` digits. */
    perSmsPrefix: { count: 50, windowMs: DAY_MS, hiddenDigits: 4 },
  },
  lock: {
    /** Failures of one identifier and network; each lock is twice as long as the one before, up to `longestMs`. */
    perNetwork: { count: 5, windowMs: 5 * MINUTE_MS, firstMs: MINUTE_MS, longestMs: HOUR_MS },
    perClass: { count: 20, windowMs: DAY_MS, lockMs: HOUR_MS },
    /** Consecutive failures that lock a network class (NIST SP 800-63B-4 section 3.2.2). */
    hardLockoutAfter: 100,
    /** How long without an attempt until all failures and locks are forgotten. */
    resetAfterMs: 7 * DAY_MS,
  },
  /** Wrong attempts of one network at any identifiers; high, because many people share a carrier's network. */
  attemptsPerNetwork: { count: 600, windowMs: 10 * MINUTE_MS },
  /** First codes in a window that a network requested itself and may still attempt once over `attemptsPerNetwork`. */
  requestedCodesPerNetwork: { count: 5, windowMs: RECENT_MS },
  verificationTokenTtlMs: 10 * MINUTE_MS,
} as const;

/** The step after a verified code: LOGIN if the identifier has an account, else REGISTER. */
export type Purpose = "REGISTER" | "LOGIN";

/** What the client requests a code for. It only selects the wording of the message. */
export type RequestedPurpose = Purpose | "CHANGE";
