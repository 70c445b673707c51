import { findProvider } from "../auth/social/social-provider.ts";
import { openRefreshToken, sealedRefreshToken } from "../auth/social/social-refresh-token.ts";
import { revokeToken } from "../auth/social/social-token.ts";
import type { Task, TaskOutcome } from "./engine/task.ts";

const RETRY_SECONDS = 300;

/** Revokes Apple's refresh token after the account was deleted or unlinked; in at most 12 attempts. */
export const revokeSocialToken: Task = {
  name: "revoke_social_token",
  types: ["social.revocation_due"],
  async run(deps, event): Promise<TaskOutcome> {
    const payload = sealedRefreshToken.parse(event.payload);
    if (!deps.config.social.apple) return { done: true, note: "not configured" };
    const token = await openRefreshToken(deps, payload);
    if (token === undefined) return { done: true, note: "key gone" };
    const provider = findProvider(deps.config, "apple");
    const isDone = await revokeToken(deps, provider, { token, clientId: payload.clientId });
    return isDone
      ? { done: true, note: "revoked" }
      : { done: false, retryInSeconds: RETRY_SECONDS, note: "the provider did not accept the request" };
  },
};
