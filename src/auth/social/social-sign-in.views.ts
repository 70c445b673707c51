import { z } from "zod";
import type { Client } from "../../platform/http/client.ts";
import { ACCESS_TTL_SECONDS } from "../../sessions/tokens.ts";
import type { UserRow } from "../../users/user.store.ts";
import { userView, viewUser } from "../../users/views.ts";

/** A sign-in, as the services return it. */
interface SignIn {
  user: UserRow;
  accessToken: string;
  refreshToken: string;
}

/** The answer to a sign-in with a provider. */
export const signedInData = z
  .object({
    user_id: z.string(),
    access_token: z.string(),
    refresh_token: z.string(),
    token_type: z.literal("Bearer"),
    expires_in: z.number().int(),
    user: userView,
    message: z.string(),
  })
  .meta({ id: "SocialSignIn" });

export const welcome = { en: "You are signed in.", ne: "तपाईं साइन इन हुनुभयो।" };

/** The answer in the language of the client. */
export function describeSignIn(
  { user, accessToken, refreshToken }: SignIn,
  { locale }: Client,
): z.input<typeof signedInData> {
  return {
    user_id: user.id,
    access_token: accessToken,
    refresh_token: refreshToken,
    token_type: "Bearer",
    expires_in: ACCESS_TTL_SECONDS,
    user: viewUser(user),
    message: welcome[locale],
  };
}
