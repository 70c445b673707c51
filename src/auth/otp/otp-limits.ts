// Every number of the one-time code's rules in one place; the README's table of limits is checked against it.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const otpLimits = {
  digits: 6,
  ttlMs: 5 * MINUTE_MS,
  /** Guesses at one code, for familiar networks and for all others apart. */
  triesPerCode: 5,
  /** A guess is compared with this many of the newest codes. */
  liveCodes: 2,
  /** A network stays familiar this long after a sign-in from it. */
  familiarMs: 90 * DAY_MS,
  send: {
    /** Waiting time after the first, second, third and every later code within an hour. */
    gapsMs: [MINUTE_MS, MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS],
    perNetwork: { count: 3, windowMs: HOUR_MS },
    perClass: { count: 5, windowMs: HOUR_MS },
    perClassDaily: { count: 10, windowMs: DAY_MS },
    /** Codes by SMS of one network to any number; wide, since a mobile carrier puts many people behind one network. */
    perSmsNetwork: { count: 100, windowMs: HOUR_MS },
    /** Codes by e-mail of one network to any address. */
    perEmailNetwork: { count: 100, windowMs: HOUR_MS },
    /** Of the codes of one IPv6 /64 in an hour, this many count towards the /56 and the /48 around it. */
    perSubnet: 50,
    /** Codes by SMS to one range: the numbers that differ in their last digits alone. */
    perSmsPrefix: { count: 50, windowMs: DAY_MS, hiddenDigits: 4 },
  },
  lock: {
    /** Of one identifier and network; each lock is twice as long as the one before, up to the longest. */
    perNetwork: { count: 5, windowMs: 5 * MINUTE_MS, firstMs: MINUTE_MS, longestMs: HOUR_MS },
    perClass: { count: 20, windowMs: DAY_MS, lockMs: HOUR_MS },
    /** Failures in a row that close a class (NIST SP 800-63B-4 section 3.2.2), and the quiet that opens it again. */
    closedAfter: 100,
    forgottenAfterMs: 7 * DAY_MS,
  },
  /** Wrong guesses of one network at any identifiers; wide, since a mobile carrier puts many people behind one network. */
  guessesPerNetwork: { count: 600, windowMs: 10 * MINUTE_MS },
  /** Codes that a network asked for itself, at which it may guess beyond that: the first ones of each window. */
  ownCodesPerNetwork: { count: 5, windowMs: 10 * MINUTE_MS },
  verificationTokenTtlMs: 10 * MINUTE_MS,
} as const;

/** The step that a code is asked for; advice, since only the account decides which one fits. */
export type Purpose = "REGISTER" | "LOGIN";
