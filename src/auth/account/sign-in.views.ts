import { z } from "zod";
import { ACCESS_TTL_SECONDS } from "../../sessions/tokens.ts";
import type { UserRow } from "../../users/user.store.ts";
import { userView, viewUser } from "../../users/views.ts";

/** A sign-in, as the services return it. */
interface SignIn {
  user: UserRow;
  accessToken: string;
  refreshToken: string;
  referralApplied: boolean;
}

/** The answer to a sign-in. */
export const signedInData = z
  .object({
    user_id: z.string(),
    access_token: z.string(),
    refresh_token: z.string(),
    token_type: z.literal("Bearer"),
    expires_in: z.number().int(),
    user: userView,
    referral_applied: z.boolean(),
    message: z.string(),
  })
  .meta({ id: "SignIn", base: "SocialSignIn" });

/** Builds the answer. @param message its message in the caller's language. */
export function describeSignIn(signedIn: SignIn, message: string): z.input<typeof signedInData> {
  return {
    user_id: signedIn.user.id,
    access_token: signedIn.accessToken,
    refresh_token: signedIn.refreshToken,
    token_type: "Bearer",
    expires_in: ACCESS_TTL_SECONDS,
    user: viewUser(signedIn.user),
    referral_applied: signedIn.referralApplied,
    message,
  };
}
