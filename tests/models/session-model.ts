// A model of the rules for one user's sessions.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface RefreshToken {
  value: string;
  expiresAt: number;
}

export interface ModelSession {
  id: string;
  /** Oldest first; the last one is the current token. */
  refreshTokens: RefreshToken[];
  access: string;
  accessAt: number;
  createdAt: number;
  rotatedAt: number;
  /** Whether the last rotation came with an Idempotency-Key. */
  isRotatedByKey: boolean;
  idleUntil: number;
  isEnded: boolean;
}

/** Tolerated clock difference between machines. */
const TOLERANCE = 5 * SECOND;

/** The sessions of one user according to the rules. */
export function newSessionModel() {
  const state = { sessions: [] as ModelSession[], isBanned: false, thefts: 0 };

  const absoluteUntil = (session: ModelSession) => session.createdAt + 90 * DAY;
  const isLive = (session: ModelSession, now: number) =>
    !session.isEnded && now < session.idleUntil && now < absoluteUntil(session);
  const live = (now: number) => state.sessions.filter((session) => isLive(session, now));

  /** Whether the session's access token is accepted; only logout also accepts an expired one. */
  const isSignedIn = (session: ModelSession, now: number) =>
    isLive(session, now) && !state.isBanned && now - session.accessAt < 15 * MINUTE + TOLERANCE;

  function signIn(now: number): "signed in" | "account_inactive" {
    if (state.isBanned) return "account_inactive";
    const [oldest, ...others] = live(now);
    if (oldest && others.length === 9) oldest.isEnded = true;
    return "signed in";
  }

  function opened(id: string, refresh: string, access: string, now: number): void {
    const idleUntil = now + 60 * DAY;
    const refreshTokens = [{ value: refresh, expiresAt: idleUntil }];
    const times = { accessAt: now, createdAt: now, rotatedAt: now, idleUntil };
    state.sessions.push({ id, refreshTokens, access, ...times, isRotatedByKey: false, isEnded: false });
  }

  /** Uses the refresh token of `age` rotations ago. */
  function refresh(
    session: ModelSession,
    age: number,
    hasKey: boolean,
    now: number,
  ): "rotated" | "repeated" | "refused" {
    const token = session.refreshTokens.at(-1 - age);
    if (!token || now >= token.expiresAt + TOLERANCE || !isLive(session, now)) return "refused";
    if (age === 0) return "rotated";
    const mayRepeat =
      now - session.rotatedAt < 2 * MINUTE || (hasKey && session.isRotatedByKey && now - session.rotatedAt < DAY);
    if (age === 1 && mayRepeat) return "repeated";
    session.isEnded = true;
    state.thefts += 1;
    return "refused";
  }

  function rotated(session: ModelSession, value: string, hasKey: boolean, now: number): void {
    session.idleUntil = Math.min(now + 60 * DAY, absoluteUntil(session));
    session.refreshTokens.push({ value, expiresAt: session.idleUntil });
    session.rotatedAt = now;
    session.isRotatedByKey = hasKey;
  }

  /** Logs out with any refresh token of the session, even an expired or rotated one. */
  function logout(session: ModelSession, age: number, now: number): boolean {
    if (!session.refreshTokens.at(-1 - age) || !isLive(session, now)) return false;
    session.isEnded = true;
    return true;
  }

  function endOthers(session: ModelSession, now: number): number | undefined {
    if (!isSignedIn(session, now)) return undefined;
    const others = live(now).filter((other) => other !== session);
    for (const other of others) other.isEnded = true;
    return others.length;
  }

  function end(session: ModelSession, other: ModelSession, now: number): "ended" | "not_found" | "token_not_valid" {
    if (!isSignedIn(session, now)) return "token_not_valid";
    if (!isLive(other, now)) return "not_found";
    other.isEnded = true;
    return "ended";
  }

  function ban(): void {
    state.isBanned = true;
    for (const session of state.sessions) session.isEnded = true;
  }

  function unban(): void {
    state.isBanned = false;
  }

  return Object.assign(state, {
    live,
    isSignedIn,
    signIn,
    opened,
    refresh,
    rotated,
    logout,
    endOthers,
    end,
    ban,
    unban,
  });
}

export type SessionModel = ReturnType<typeof newSessionModel>;
