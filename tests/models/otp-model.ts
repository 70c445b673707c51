// A model of the rules for one identifier, with lists and loops instead of SQL.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Class = "familiar" | "other";

interface Code {
  digits: string;
  at: number;
  network: string;
  tries: Record<Class, number>;
}

interface Send {
  at: number;
  network: string;
  class: Class;
}

interface Failures {
  recent: number[];
  locks: number;
  lockedUntil: number;
  /** Consecutive failures; only for a class. */
  streak: number;
  lastAt: number;
}

const noFailures = (): Failures => ({
  recent: [],
  locks: 0,
  lockedUntil: 0,
  streak: 0,
  lastAt: Number.NEGATIVE_INFINITY,
});

export interface ModelToken {
  value: string;
  at: number;
  usedFor?: "register" | "login";
  usedAt?: number;
  /** The refresh token that the sign-in returned. */
  refresh?: string;
}

export type Expected<Success> = { refused: string; retryAfter?: number } | Success;

/** The state of one identifier according to the rules; each step gets the time and the network. */
export function newOtpModel() {
  const state = { codes: [] as Code[], tokens: [] as ModelToken[], hasAccount: false, messages: 0 };
  const sends: Send[] = [];
  const familiar = new Map<string, number>();
  const ofNetwork = new Map<string, Failures>();
  const ofClass: Record<Class, Failures> = { familiar: noFailures(), other: noFailures() };

  function classOf(network: string, now: number): Class {
    return now - (familiar.get(network) ?? Number.NEGATIVE_INFINITY) < 90 * DAY ? "familiar" : "other";
  }

  /** The failures that still count: none after 7 days without an attempt. */
  function failuresOf(found: Failures | undefined, now: number): Failures {
    return found && now - found.lastAt < 7 * DAY ? found : noFailures();
  }

  function lockedUntil(network: string, now: number): number {
    const ofThisNetwork = failuresOf(ofNetwork.get(network), now);
    const all = failuresOf(ofClass[classOf(network, now)], now);
    const closedUntil = all.streak >= 100 ? all.lastAt + 7 * DAY : 0;
    return Math.max(ofThisNetwork.lockedUntil, all.lockedUntil, closedUntil);
  }

  /** When the next code may be sent, considering all limits. */
  function nextSendAt(network: string, now: number): number {
    const networkClass = classOf(network, now);
    const byClass = sends
      .filter((send) => send.class === networkClass && now - send.at < DAY)
      .sort((a, b) => b.at - a.at);
    const byNetwork = sends
      .filter((send) => send.network === network && now - send.at < DAY)
      .sort((a, b) => b.at - a.at);
    const waits = [lockedUntil(network, now)];
    const newest = byClass[0];
    if (newest) {
      const withinHour = byClass.filter(({ at }) => newest.at - at < HOUR).length;
      waits.push(newest.at + ([MINUTE, MINUTE, 2 * MINUTE][withinHour - 1] ?? 5 * MINUTE));
    }
    const third = byNetwork[2];
    const fifth = byClass[4];
    const tenth = byClass[9];
    if (third) waits.push(third.at + HOUR);
    if (fifth) waits.push(fifth.at + HOUR);
    if (tenth) waits.push(tenth.at + DAY);
    return Math.max(...waits);
  }

  /** Requests a code; `resendIn` gives the seconds that a success reports. */
  function request(network: string, now: number): Expected<{ resendIn: () => number }> {
    const at = nextSendAt(network, now);
    if (at > now) return { refused: "rate_limit_exceeded", retryAfter: Math.ceil((at - now) / SECOND) };
    sends.push({ at: now, network, class: classOf(network, now) });
    state.messages += 1;
    return { resendIn: () => Math.ceil((nextSendAt(network, now) - now) / SECOND) };
  }

  function sent(digits: string, network: string, now: number): void {
    state.codes.push({ digits, at: now, network, tries: { familiar: 0, other: 0 } });
  }

  /** The two newest live codes. */
  function liveCodes(now: number): Code[] {
    return state.codes.filter(({ at }) => now - at < 5 * MINUTE).slice(-2);
  }

  /** Attempts a code. */
  function guess(digits: string, network: string, now: number): Expected<{ right: true }> {
    const until = lockedUntil(network, now);
    if (until > now) return { refused: "rate_limit_exceeded", retryAfter: Math.ceil((until - now) / SECOND) };
    const networkClass = classOf(network, now);
    const compared = liveCodes(now).filter(({ tries }) => tries[networkClass] < 5);
    if (compared.length === 0) return { refused: "invalid_otp" };
    if (compared.some((code) => code.digits === digits)) {
      state.codes = [];
      succeed(networkClass, now);
      return { right: true };
    }
    for (const code of compared) code.tries[networkClass] += 1;
    fail(network, networkClass, now);
    return { refused: "invalid_otp" };
  }

  function succeed(networkClass: Class, now: number): void {
    for (const network of [...ofNetwork.keys()]) {
      if (classOf(network, now) === networkClass) ofNetwork.delete(network);
    }
    ofClass[networkClass] = noFailures();
    const other = networkClass === "familiar" ? "other" : "familiar";
    if (ofClass[other].streak >= 100) ofClass[other] = noFailures();
  }

  function fail(network: string, networkClass: Class, now: number): void {
    const ofThisNetwork = failuresOf(ofNetwork.get(network), now);
    ofThisNetwork.lastAt = now;
    ofThisNetwork.recent = [...ofThisNetwork.recent.filter((at) => now - at < 5 * MINUTE), now];
    if (ofThisNetwork.recent.length >= 5) {
      ofThisNetwork.lockedUntil = now + Math.min(60, 2 ** ofThisNetwork.locks) * MINUTE;
      ofThisNetwork.locks += 1;
      ofThisNetwork.recent = [];
    }
    ofNetwork.set(network, ofThisNetwork);
    const all = failuresOf(ofClass[networkClass], now);
    all.lastAt = now;
    all.streak += 1;
    all.recent = [...all.recent.filter((at) => now - at < DAY), now];
    if (all.recent.length >= 20) {
      all.lockedUntil = now + HOUR;
      all.recent = [];
    }
    ofClass[networkClass] = all;
  }

  /** Registers or logs in with a token. */
  function enter(
    step: "register" | "login",
    token: ModelToken,
    network: string,
    now: number,
  ): Expected<{ isRepeat: boolean }> {
    if (token.usedAt !== undefined) {
      const isRepeat = token.usedFor === step && now - token.usedAt < 3 * MINUTE;
      return isRepeat ? { isRepeat } : { refused: "invalid_token" };
    }
    if (now - token.at >= 10 * MINUTE) return { refused: "invalid_token" };
    if (step === "register" && state.hasAccount) return { refused: "user_already_exists" };
    if (step === "login" && !state.hasAccount) return { refused: "user_not_found" };
    token.usedFor = step;
    token.usedAt = now;
    state.hasAccount = true;
    if (now - (familiar.get(network) ?? Number.NEGATIVE_INFINITY) >= DAY) familiar.set(network, now);
    // The codes that this network requested on the last day move to the class of known networks.
    for (const send of sends) if (send.network === network && now - send.at < DAY) send.class = "familiar";
    return { isRepeat: false };
  }

  return Object.assign(state, { request, sent, guess, enter });
}

export type OtpModel = ReturnType<typeof newOtpModel>;
