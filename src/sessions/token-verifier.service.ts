import { atHome } from "../platform/data/homes.ts";
import type { Deps } from "../platform/deps.ts";
import { isoTime } from "../platform/time.ts";
import { findSignedInRole } from "./session.store.ts";
import { verifyAccessToken } from "./tokens.ts";

/** The verdict on an access token for another service. `ended`: genuine, but its session or user is not active. */
export type TokenAnswer =
  | { valid: true; user_id: string; session_id: string; role: "user" | "staff" | "admin"; expires_at: string }
  | { valid: false; reason: "expired" | "invalid" | "ended" };

/**
 * Checks an access token for another service: first its signature, without I/O, then session and user in one query. The
 * answer must not be cached, because a logout may end the session at any time.
 *
 * @throws AppError `service_unavailable` when the database fails; the token may still be valid.
 */
export async function checkTokenForOthers(deps: Deps, token: unknown): Promise<TokenAnswer> {
  if (typeof token !== "string") return { valid: false, reason: "invalid" };
  const verified = await verifyAccessToken(deps, token);
  if (verified.state !== "valid") return { valid: false, reason: verified.state };
  const { userId, sessionId, expiresAt } = verified.claims;
  const role = await atHome(deps, { user: userId }, (home) => findSignedInRole(home, verified.claims));
  if (!role) return { valid: false, reason: "ended" };
  return {
    valid: true,
    user_id: userId,
    session_id: sessionId,
    role,
    expires_at: isoTime(expiresAt),
  };
}
