import { jwtVerify } from "jose";
import { z } from "zod";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { isAboutToken, remoteKeys } from "../../platform/http/remote-keys.ts";
import { findUnfit } from "../../platform/http/text.ts";
import { parseJson } from "../../platform/json.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { type AppleEventKind, applyAppleEvent, findLinkedUser } from "./apple-notification.store.ts";
import { findProvider } from "./social-provider.ts";

/** Longer notifications are rejected before any cryptography. */
const MAX_LENGTH = 8192;
/** A smaller `event_time` is in seconds, as in Apple's examples; Apple also sends milliseconds. */
const FIRST_MILLISECONDS = 1e12;

/** Both spellings occur: Apple's page says `account-deleted`, and Apple sends `account-delete` too. */
const kinds: Readonly<Record<string, AppleEventKind>> = {
  "email-disabled": "email-disabled",
  "email-enabled": "email-enabled",
  "consent-revoked": "consent-revoked",
  "account-delete": "account-deleted",
  "account-deleted": "account-deleted",
};

/** The claim `events` is JSON text. */
const reported = z.preprocess(
  (given) => (typeof given === "string" ? parseJson(given) : given),
  z.object({ type: z.string(), sub: z.string(), event_time: z.number().positive() }),
);

/**
 * Applies a server-to-server notification of Sign in with Apple, see
 * https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts.
 * An event of an unknown kind, about an account that is not linked, or that was applied before changes nothing and is
 * no error, because Apple repeats every notification that is not answered with 200.
 *
 * @throws AppError `social_auth_failed` for a notification that Apple did not sign for this service; `not_found` where
 *   sign-in with Apple is not configured; `service_unavailable` when Apple's keys cannot be fetched.
 */
export async function receiveAppleNotification(deps: Deps, payload: string): Promise<void> {
  const { settings, issuers } = findProvider(deps.config, "apple");
  const { jti, events } = await verifyNotification(deps, payload, settings, issuers);
  const parsed = reported.safeParse(events);
  const kind = parsed.success ? kinds[parsed.data.type] : undefined;
  if (!parsed.success || !kind) return;
  const { sub: subject, event_time: time } = parsed.data;
  const at = Math.floor(time < FIRST_MILLISECONDS ? time * 1000 : time);
  const event = { id: jti, kind, issuer: issuers[0] ?? "", subject, at };
  const userId = await findLinkedUser(deps, event);
  if (userId === undefined) return;
  const { endedSessions, events: changes } = await applyAppleEvent(deps, userId, event);
  deps.afterResponse(publishCoalesced(deps, changes));
  if (endedSessions.length > 0) deps.afterResponse(denySessions(deps, endedSessions));
}

/** Checks signature, issuer and audience, but not the expiry; `applyAppleEvent` decides which events are too old. */
async function verifyNotification(
  deps: Deps,
  payload: string,
  { audiences, endpoints }: ReturnType<typeof findProvider>["settings"],
  issuers: string[],
): Promise<{ jti: string; events: unknown }> {
  if (payload.length > MAX_LENGTH) throw failed("length");
  try {
    const { payload: claims } = await jwtVerify(payload, remoteKeys(deps, endpoints.jwks), {
      algorithms: ["RS256"],
      issuer: issuers,
      audience: audiences,
      requiredClaims: ["jti", "iat", "events"],
      currentDate: new Date(0),
    });
    const isId = typeof claims.jti === "string" && claims.jti !== "" && claims.jti.length <= 255;
    if (!isId || findUnfit(String(claims.jti)) !== undefined) throw failed("jti");
    return { jti: String(claims.jti), events: claims.events };
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (isAboutToken(error)) throw failed(error.code);
    throw new AppError("service_unavailable", { reason: "the provider's keys", retryAfterSeconds: 5, cause: error });
  }
}

const failed = (reason: string) => new AppError("social_auth_failed", { reason: `notification: ${reason}` });
