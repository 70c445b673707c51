import { z } from "zod";
import { homeOfPasskey, optionalAssertionField } from "../auth/passkey/credential.fields.ts";
import { as } from "../platform/http/field-errors.ts";
import { besideErrors, optionalText, tokenField } from "../platform/http/fields.ts";
import { ACCESS_TTL_SECONDS } from "../sessions/tokens.ts";
import { checkIdentifier, optionalIdentifierField } from "../users/identifier.ts";
import { userRole } from "../users/user-enums.ts";
import { pageEndpoint } from "./console.guard.ts";
import { FORGET_TOKEN, keepToken } from "./console-cookie.ts";
import { type ConsoleSession, closeConsole, openConsole, refreshConsole } from "./console-session.service.ts";

const tag = "Console";

const sessionData = z
  .object({
    access_token: z.string(),
    token_type: z.literal("Bearer"),
    expires_in: z.number().int().meta({ description: "Seconds until the access token expires." }),
    user: z.object({
      id: z.string(),
      username: z.string(),
      role: userRole,
      passkey_required: z.boolean().meta({
        description: "Whether the role works only once a passkey has proved this session, by `POST /api/auth/proof`.",
      }),
    }),
  })
  .meta({ id: "ConsoleSession" });

const viewSession = ({ accessToken, user, isPasskeyRequired }: ConsoleSession): z.input<typeof sessionData> => ({
  access_token: accessToken,
  token_type: "Bearer",
  expires_in: ACCESS_TTL_SECONDS,
  user: { id: user.id, username: user.username, role: user.role, passkey_required: isPasskeyRequired },
});

const COOKIE_IS_KEPT =
  "The refresh token is kept in the cookie `__Host-console`, which no script and no other route can read. The session " +
  "ends 12 hours after the sign-in, or an hour after the last refresh.";

type Sent = { identifier?: unknown; verification_token?: unknown; credential?: unknown };

/** The body has the field, or a passkey's answer instead. */
const isThere = (field: "identifier" | "verification_token") => (body: Sent) =>
  body.credential !== undefined || body[field] !== undefined;
const required = (field: string) => ({ when: besideErrors, path: [field], message: as("required") });

export const postConsoleSession = pageEndpoint(
  {
    method: "post",
    base: "/console",
    path: "/session",
    home: ({ body: { identifier = "", credential } }) => (credential ? homeOfPasskey(credential) : { identifier }),
    operationId: "openConsoleSession",
    tag,
    summary: "Sign in to the staff console",
    description:
      "Send the identifier with its verification token from `POST /api/auth/otp/verify`, or a passkey's answer to " +
      "`POST /api/auth/passkey/options`. Users who are not staff are refused, and their token stays " +
      `valid. ${COOKIE_IS_KEPT}`,
    example: { identifier: "9841234567", verification_token: "…" },
    body: z
      .object({
        identifier: optionalIdentifierField,
        verification_token: optionalText(tokenField),
        credential: optionalAssertionField,
      })
      .refine(isThere("identifier"), required("identifier"))
      .refine(isThere("verification_token"), required("verification_token")),
    check: (deps, { identifier }) => checkIdentifier(deps, identifier),
    data: sessionData,
    message: { en: "You are signed in.", ne: "तपाईं साइन इन हुनुभयो।" },
    errors: [
      "invalid_token",
      "user_not_found",
      "identifier_replaced",
      "account_inactive",
      "passkey_failed",
      "passkey_unknown",
    ],
    rateLimitByNetwork: { group: "console" },
  },
  async (deps, { body, caller, client }) => {
    const { identifier = "", verification_token = "", credential } = body;
    const request = credential ? { credential } : { identifier, verification_token };
    const opened = await openConsole(deps, client, request, caller.refreshToken);
    return { data: viewSession(opened), headers: { "Set-Cookie": keepToken(opened.refreshToken) } };
  },
);

export const refreshConsoleSession = pageEndpoint(
  {
    method: "post",
    base: "/console",
    path: "/session/refresh",
    home: ({ caller }) => ({ issued: caller.refreshToken ?? "" }),
    operationId: "refreshConsoleSession",
    tag,
    summary: "Refresh the session of the staff console",
    description: "Returns null if nobody is signed in.",
    data: sessionData.nullable(),
    message: { en: "Session refreshed.", ne: "सत्र नवीकरण भयो।" },
    rateLimitByNetwork: { group: "console" },
  },
  async (deps, { caller, client }) => {
    const session = await refreshConsole(deps, client, caller.refreshToken);
    if (!session) {
      const message = { en: "Nobody is signed in.", ne: "कोही साइन इन छैन।" };
      return { data: null, message, ...(caller.refreshToken ? { headers: { "Set-Cookie": FORGET_TOKEN } } : {}) };
    }
    return { data: viewSession(session), headers: { "Set-Cookie": keepToken(session.refreshToken) } };
  },
);

const signedOut = { en: "You are signed out.", ne: "तपाईं साइन आउट हुनुभयो।" };

export const deleteConsoleSession = pageEndpoint(
  {
    method: "delete",
    base: "/console",
    path: "/session",
    home: ({ caller }) => ({ issued: caller.refreshToken ?? "" }),
    operationId: "closeConsoleSession",
    tag,
    summary: "Sign out of the staff console",
    description: "Ends the session, deletes the cookie and clears the browser's cache.",
    data: z.object({ message: z.string() }),
    message: signedOut,
    rateLimitByNetwork: { group: "console" },
  },
  async (deps, { caller, client }) => {
    // A failure keeps the cookie, without which the page could not repeat the call.
    await closeConsole(deps, client, caller.refreshToken);
    const headers = { "Set-Cookie": FORGET_TOKEN, "Clear-Site-Data": '"cache"' };
    return { data: { message: signedOut[client.locale] }, headers };
  },
);
