import { z } from "zod";
import { AppError } from "../platform/http/errors.ts";
import { anyIdField, tokenField } from "../platform/http/fields.ts";
import { expiringEndpoint, publicEndpoint, userEndpoint } from "./guard.ts";
import { refreshSession } from "./refresh.service.ts";
import { endAllOtherSessions, endSession, listOwnSessions, logoutUser } from "./session.service.ts";
import { endedView, sessionView, viewSession } from "./session.views.ts";
import { ACCESS_TTL_SECONDS } from "./tokens.ts";

const tag = "Sessions";

const tokenFields = z
  .object({
    refresh_token: tokenField.nullish().meta({ description: "The refresh token. Send `refresh_token` or `refresh`." }),
    refresh: tokenField.nullish().meta({ description: "The refresh token under its other name." }),
  })
  .meta({ id: "RefreshToken", minProperties: 1 });
/** Each route's own field name takes precedence; the other name is the alias that older clients send. */
const refreshBody = tokenFields.transform(({ refresh, refresh_token }) => refresh || refresh_token);
const logoutBody = tokenFields.transform(({ refresh, refresh_token }) => refresh_token || refresh);

function required(refreshToken: string | null | undefined): string {
  if (!refreshToken) throw new AppError("refresh_token_required");
  return refreshToken;
}

const tokens = z
  .object({
    access: z.string(),
    refresh: z.string(),
    token_type: z.literal("Bearer"),
    expires_in: z.number().int().meta({ description: "Seconds until the access token expires." }),
  })
  .meta({ id: "Tokens" });

export const refresh = publicEndpoint(
  {
    method: "post",
    path: "/auth/refresh",
    home: ({ body }) => ({ issued: required(body) }),
    operationId: "refreshTokens",
    tag,
    summary: "Refresh the tokens",
    description:
      "Returns a new access token and a new refresh token; the old refresh token is replaced. If the response is " +
      "lost, repeat the call within 120 seconds, or within 24 hours with the same Idempotency-Key, to get the same " +
      "refresh token unless it has been used. Presenting an older refresh token ends the session.",
    example: { refresh_token: "eyJ…" },
    body: refreshBody,
    data: tokens,
    beside: { access: z.string(), refresh: z.string() },
    message: { en: "Session refreshed.", ne: "सत्र नवीकरण भयो।" },
    errors: ["refresh_token_required", "token_not_valid", "rate_limit_exceeded"],
    idempotent: true,
  },
  async (deps, { body, client }) => {
    const { accessToken: access, refreshToken } = await refreshSession(deps, client, required(body));
    const data = { access, refresh: refreshToken, token_type: "Bearer" as const, expires_in: ACCESS_TTL_SECONDS };
    return { data, beside: { access, refresh: refreshToken } };
  },
);

const loggedOut = { en: "You are signed out.", ne: "तपाईं साइन आउट हुनुभयो।" };

export const logout = expiringEndpoint(
  {
    method: "post",
    path: "/auth/logout",
    operationId: "logout",
    tag,
    summary: "Sign out",
    description:
      "Ends this session. The access token may have expired. Any refresh token of the session is accepted, including " +
      "a rotated one.",
    rateLimitWrites: "service",
    example: { refresh_token: "eyJ…" },
    body: logoutBody,
    data: z.object({ message: z.string() }),
    message: loggedOut,
    errors: ["refresh_token_required"],
  },
  async (deps, { body, caller, client }) => {
    await logoutUser(deps, client, caller, required(body));
    return { data: { message: loggedOut[client.locale] } };
  },
);

export const listMySessions = userEndpoint(
  {
    method: "get",
    path: "/auth/sessions",
    operationId: "listSessions",
    tag,
    summary: "List my sessions",
    description: "Lists the user's active sessions and marks the current one.",
    data: z.array(sessionView),
    message: { en: "Your sessions.", ne: "तपाईंका सत्रहरू।" },
  },
  async (deps, { caller }) => {
    const sessions = await listOwnSessions(deps, caller);
    return { data: sessions.map((session) => viewSession(session, caller.sessionId)) };
  },
);

const sessionParams = z.object({ id: anyIdField.meta({ description: "Id of the session." }) });
const ended = { en: "The session has ended.", ne: "सत्र अन्त्य भयो।" };

export const endMySession = userEndpoint(
  {
    method: "delete",
    path: "/auth/sessions/{id}",
    operationId: "endSession",
    tag,
    summary: "End one of my sessions",
    description: "Signs out the device that uses the session.",
    rateLimitWrites: "session",
    params: sessionParams,
    data: z.object({ message: z.string() }),
    message: ended,
    errors: ["not_found"],
  },
  async (deps, { caller, client, params }) => {
    await endSession(deps, client, caller, params.id);
    return { data: { message: ended[client.locale] } };
  },
);

const othersEnded = { en: "All your other sessions have ended.", ne: "तपाईंका अरू सबै सत्र अन्त्य भए।" };

export const endMyOtherSessions = userEndpoint(
  {
    method: "delete",
    path: "/auth/sessions",
    operationId: "endOtherSessions",
    tag,
    summary: "End my other sessions",
    description:
      "Signs out every other device and returns the number of sessions that ended. The current session stays active.",
    rateLimitWrites: "session",
    data: endedView,
    message: othersEnded,
  },
  async (deps, { caller, client }) => ({
    data: { message: othersEnded[client.locale], ended: await endAllOtherSessions(deps, client, caller) },
  }),
);
