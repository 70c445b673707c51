import type { Deps } from "../platform/deps.ts";
import { findSignedInRole } from "./session.store.ts";
import { verifyAccessToken } from "./tokens.ts";

/** What another service is told of an access token. `ended`: the token is ours, its session or its user is not live. */
export type TokenAnswer =
  | { valid: true; user_id: string; session_id: string; role: "user" | "staff" | "admin"; expires_at: string }
  | { valid: false; reason: "expired" | "invalid" | "ended" };

/**
 * Checks an access token for another service: the signature first, without I/O, then session and user in one trip. The
 * answer is true of that moment; who keeps it keeps a session alive that a logout may have ended.
 *
 * @throws AppError `service_unavailable` when the database fails: nobody knows then, which is not an invalid token.
 */
export async function checkTokenForOthers(deps: Deps, token: unknown): Promise<TokenAnswer> {
  if (typeof token !== "string") return { valid: false, reason: "invalid" };
  const verified = await verifyAccessToken(deps, token);
  if (verified.state !== "valid") return { valid: false, reason: verified.state };
  const { userId, sessionId, expiresAt } = verified.claims;
  const role = await findSignedInRole(deps, verified.claims);
  if (!role) return { valid: false, reason: "ended" };
  return {
    valid: true,
    user_id: userId,
    session_id: sessionId,
    role,
    expires_at: new Date(expiresAt).toISOString(),
  };
}
