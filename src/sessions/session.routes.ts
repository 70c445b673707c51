import { z } from "zod";
import { AppError } from "../platform/http/errors.ts";
import { tokenField } from "../platform/http/fields.ts";
import { expiringEndpoint, publicEndpoint, userEndpoint } from "./guard.ts";
import { refreshSession } from "./refresh.service.ts";
import { endAllOtherSessions, endSession, listOwnSessions, logoutUser } from "./session.service.ts";
import { sessionView, viewSession } from "./session.views.ts";
import { ACCESS_TTL_SECONDS } from "./tokens.ts";

const tag = "Sessions";

const tokenFields = z.object({
  refresh_token: tokenField.nullish().meta({ description: "The refresh token; either of the two names is needed." }),
  refresh: tokenField.nullish().meta({ description: "The same by its other name." }),
});
/** Each route's own name for the token comes first; the other is the alias of older clients. */
const refreshBody = tokenFields.transform(({ refresh, refresh_token }) => refresh || refresh_token);
const logoutBody = tokenFields.transform(({ refresh, refresh_token }) => refresh_token || refresh);

function required(refreshToken: string | null | undefined): string {
  if (!refreshToken) throw new AppError("refresh_token_required");
  return refreshToken;
}

export const refresh = publicEndpoint(
  {
    method: "post",
    path: "/auth/refresh",
    tag,
    summary: "Trade a refresh token for the next one",
    description:
      "Rotates on every use. An app that lost the answer repeats the same call, within 120 seconds or with the same " +
      "Idempotency-Key within 24 hours, and gets the same refresh token while nobody has used it. Showing an older " +
      "token ends the session.",
    body: refreshBody,
    data: z.object({
      access: z.string(),
      refresh: z.string(),
      token_type: z.literal("Bearer"),
      expires_in: z.number().int(),
    }),
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
    tag,
    summary: "End this session",
    description: "The access token may have expired. Any refresh token of the same session will do, a rotated one too.",
    rateLimitWrites: "service",
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
    tag,
    summary: "List my sessions",
    data: z.array(sessionView),
    message: { en: "Your sessions.", ne: "तपाईंका सत्रहरू।" },
  },
  async (deps, { caller }) => {
    const found = await listOwnSessions(deps, caller);
    return { data: found.map((session) => viewSession(session, caller.sessionId)) };
  },
);

const sessionParams = z.object({ id: z.string().max(64) });
const ended = { en: "The session has ended.", ne: "सत्र अन्त्य भयो।" };

export const endMySession = userEndpoint(
  {
    method: "delete",
    path: "/auth/sessions/{id}",
    tag,
    summary: "End one of my sessions",
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
    tag,
    summary: "End all my other sessions",
    rateLimitWrites: "session",
    data: z.object({ message: z.string(), ended: z.number().int() }),
    message: othersEnded,
  },
  async (deps, { caller, client }) => ({
    data: { message: othersEnded[client.locale], ended: await endAllOtherSessions(deps, client, caller) },
  }),
);
