import { loginUser } from "../auth/account/account.service.ts";
import type { Assertion } from "../auth/passkey/credential.fields.ts";
import { signInWithPasskey } from "../auth/passkey/passkey-login.service.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { AppError } from "../platform/http/errors.ts";
import { countWrite } from "../platform/http/write-limit.ts";
import { denySessions } from "../sessions/denylist.store.ts";
import { refreshSession } from "../sessions/refresh.service.ts";
import { endOwnSession } from "../sessions/session.store.ts";
import { type AccessClaims, verifyRefreshToken } from "../sessions/tokens.ts";
import type { UserRow } from "../users/user.store.ts";
import { findConsoleUser } from "./console-session.store.ts";

/** A session of the console: its tokens and its user, who is staff. */
export interface ConsoleSession {
  accessToken: string;
  refreshToken: string;
  user: Pick<UserRow, "id" | "username" | "role">;
  /** Whether the role works only once a passkey has proved this session. */
  isPasskeyRequired: boolean;
}

/** How somebody signs in to the console: by a code that they entered, or by a passkey. */
export type ConsoleCredential = { identifier: string; verification_token: string } | { credential: Assertion };

/**
 * Signs a member of staff in to the console, and then ends the session of the browser's cookie, which is
 * replaced. A call that failed in between may be repeated: it gets the same session.
 *
 * @throws AppError as `loginUser` and `signInWithPasskey` do for `CONSOLE`.
 */
export async function openConsole(
  deps: Deps,
  client: Client,
  request: ConsoleCredential,
  replaced: string | undefined,
): Promise<ConsoleSession> {
  const isByPasskey = "credential" in request;
  const opened = isByPasskey
    ? await signInWithPasskey(deps, client, request.credential, "CONSOLE")
    : await loginUser(deps, client, request, "CONSOLE");
  const sessions = await Promise.all([opened.refreshToken, replaced ?? ""].map((token) => readSession(deps, token)));
  const [own, other] = sessions;
  // A repeated call brings the cookie of the session that it opened.
  if (other && other.sessionId !== own?.sessionId) await end(deps, client, other);
  return { ...opened, isPasskeyRequired: deps.config.requiresStaffPasskeys && !isByPasskey };
}

/**
 * Refreshes the session of the browser's cookie.
 *
 * @returns null if nobody is signed in: there is no cookie, the session has ended or expired, or the user is no longer
 *   staff.
 * @throws AppError `rate_limit_exceeded`, `service_unavailable`.
 */
export async function refreshConsole(
  deps: Deps,
  client: Client,
  refreshToken: string | undefined,
): Promise<ConsoleSession | null> {
  if (!refreshToken) return null;
  try {
    const tokens = await refreshSession(deps, client, refreshToken);
    const session = await readSession(deps, tokens.refreshToken);
    const found = session && (await findConsoleUser(deps, session));
    return found ? { ...tokens, ...found } : null;
  } catch (error) {
    if (error instanceof AppError && error.code === "token_not_valid") return null;
    throw error;
  }
}

/**
 * Ends the session of the browser's cookie. Does nothing if there is none.
 *
 * @throws AppError `rate_limit_exceeded`, `service_unavailable`.
 */
export async function closeConsole(deps: Deps, client: Client, refreshToken: string | undefined): Promise<void> {
  const session = await readSession(deps, refreshToken ?? "");
  if (!session) return;
  await countWrite(deps, session.sessionId);
  await end(deps, client, session);
}

/** The session of a refresh token, which may be rotated or expired; undefined if this service did not issue it. */
async function readSession(deps: Deps, refreshToken: string): Promise<AccessClaims | undefined> {
  const verified = await verifyRefreshToken(deps, refreshToken);
  return verified.state === "invalid" ? undefined : verified.claims;
}

async function end(deps: Deps, client: Client, session: AccessClaims): Promise<void> {
  const ended = await endOwnSession(deps, client, session);
  if (ended.length > 0) deps.afterResponse(denySessions(deps, ended));
}
