import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { AppError } from "../platform/http/errors.ts";
import { countWrite } from "../platform/http/write-limit.ts";
import { denySessions } from "./denylist.store.ts";
import { sessionEnded, tokenNotValid } from "./guard.ts";
import { endOtherSessions, endOwnSession, endSessionById, listSessions } from "./session.store.ts";
import { type AccessClaims, verifyRefreshToken } from "./tokens.ts";

/**
 * Ends the caller's session; its access and refresh tokens stop working at once. Any refresh token of the session is
 * accepted, even if rotated or expired, because it can do nothing here but end the session.
 *
 * @throws AppError `token_not_valid` when the refresh token belongs to another session or the session has ended;
 *   `rate_limit_exceeded`.
 */
export async function logoutUser(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  refreshToken: string,
): Promise<void> {
  const verified = await verifyRefreshToken(deps, refreshToken);
  if (verified.state === "invalid") throw tokenNotValid(verified);
  const { sessionId, userId } = verified.claims;
  if (sessionId !== caller.sessionId || userId !== caller.userId) {
    throw tokenNotValid({ state: "invalid", reason: "refresh token of another session" });
  }
  await countWrite(deps, sessionId);
  const ended = await endOwnSession(deps, client, caller);
  if (ended.length === 0) throw sessionEnded();
  deps.afterResponse(denySessions(deps, ended));
}

/** The caller's live sessions, newest first. @throws AppError `token_not_valid` when the caller's own has ended. */
export async function listOwnSessions(deps: Deps, caller: AccessClaims) {
  const sessions = await listSessions(deps, caller);
  if (sessions.length === 0) throw sessionEnded();
  return sessions;
}

/** Ends one of the caller's sessions. @throws AppError `not_found` when it belongs to another user or has ended. */
export async function endSession(deps: Deps, client: Client, caller: AccessClaims, sessionId: string): Promise<void> {
  const { ended, isSignedIn } = await endSessionById(deps, client, caller, sessionId);
  if (ended.length > 0) {
    deps.afterResponse(denySessions(deps, ended));
    return;
  }
  if (!isSignedIn) throw sessionEnded();
  throw new AppError("not_found", { message: { en: "Session not found.", ne: "सत्र भेटिएन।" } });
}

/** Ends all sessions of the caller except the current one. @returns the number of sessions ended. */
export async function endAllOtherSessions(deps: Deps, client: Client, caller: AccessClaims): Promise<number> {
  const { ended, isSignedIn } = await endOtherSessions(deps, client, caller);
  if (!isSignedIn) throw sessionEnded();
  if (ended.length > 0) deps.afterResponse(denySessions(deps, ended));
  return ended.length;
}
