import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from "jose";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { callOutside } from "../../platform/http/outbound.ts";
import { readIdentity, type SocialIdentity } from "./social-identity.ts";
import type { SocialProvider } from "./social-provider.ts";

type IdTokenDeps = Pick<Deps, "config" | "fetch" | "now">;

/** Clocks of the providers' machines and ours may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** An ID token older than this proves nobody's presence, in seconds. */
const MAX_AGE_SECONDS = 10 * 60;
/** Until then it may still tell whose call is repeated, in seconds: as long as an `Idempotency-Key` lives. */
const MAX_REPEAT_SECONDS = 24 * 60 * 60;
/** Longer ones are refused before any work is spent on them. */
const MAX_TOKEN_LENGTH = 8192;
/** An unknown key id asks for the keys again at most once in so long, in milliseconds. */
const KEYS_COOLDOWN_MS = 60_000;
const KEYS_MAX_AGE_MS = 10 * 60_000;

/** The keys of each provider, kept for the isolate's life and renewed by jose. */
const keySets = new Map<string, ReturnType<typeof createRemoteJWKSet>>();
/** The keys are fetched for whichever invocation needs them. */
const fetchers = new Map<string, IdTokenDeps>();

/** @param nonce accepts the token's claim, undefined where it has none. */
export interface ExpectedToken {
  nonce: (claim: string | undefined) => boolean | Promise<boolean>;
  givenName?: string | undefined;
  /** A token of the last 24 hours will do, if it is only to answer a call again; one of 10 minutes where absent. */
  acceptsStale?: boolean;
}

export interface VerifiedIdToken {
  identity: SocialIdentity;
  /** The client of ours that the token was made for. */
  clientId: string;
  /** The claim `c_hash`: half a hash of the authorization code beside the token. Undefined where absent. */
  codeHash: string | undefined;
  /** Too old to sign anybody in: good only to answer a call again that it was answered before. */
  isStale: boolean;
}

/**
 * Checks an ID token whole: signature by the provider's own keys, algorithm, issuer, audience, authorized party, times and
 * nonce (OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725).
 *
 * @throws AppError `social_auth_failed` for a token that fails, with the reason in the log alone; `id_token_stale` for one
 *   that is right but too old; `service_unavailable` when
 *   the provider's keys cannot be had.
 */
export async function verifyIdToken(
  deps: IdTokenDeps,
  provider: SocialProvider,
  token: string,
  expected: ExpectedToken,
): Promise<VerifiedIdToken> {
  if (token.length > MAX_TOKEN_LENGTH) throw failed("length");
  const { settings, issuers } = provider;
  const { payload, isExpired } = await verifySignature(deps, provider, token);
  const { iat } = payload;
  const [azp, nonce, codeHash] = [payload.azp, payload.nonce, payload.c_hash].map(textOrAbsent);
  const audiences = [payload.aud].flat();
  const isOurs = (id: unknown) => typeof id === "string" && settings.audiences.includes(id);
  if (audiences.length > 1 && azp === undefined) throw failed("several audiences and no azp");
  if (!audiences.every(isOurs)) throw failed("an audience that is not ours");
  if (azp !== undefined && !isOurs(azp)) throw failed("azp");
  if (typeof iat !== "number") throw failed("iat");
  const ageSeconds = Math.floor(deps.now() / 1000) - iat;
  if (ageSeconds < -CLOCK_TOLERANCE_SECONDS) throw failed("issued in the future");
  const isStale = isExpired || ageSeconds > MAX_AGE_SECONDS;
  if (ageSeconds > MAX_REPEAT_SECONDS || (isStale && !expected.acceptsStale)) {
    throw new AppError("id_token_stale", { reason: "ID token: issued too long ago" });
  }
  if (!(await expected.nonce(nonce))) throw failed("nonce");
  const identity = readIdentity(provider.name, issuers[0] ?? "", payload, expected.givenName);
  if (!identity) throw failed("subject");
  const clientId = String(azp ?? audiences[0]);
  return { identity, clientId, codeHash, isStale };
}

/** A claim of an unexpected type counts as absent. */
const textOrAbsent = (claim: unknown): string | undefined => (typeof claim === "string" ? claim : undefined);

async function verifySignature(deps: IdTokenDeps, { settings, issuers }: SocialProvider, token: string) {
  const { jwks } = settings.endpoints;
  fetchers.set(jwks, deps);
  const verifyAt = (instant: number) =>
    jwtVerify<JWTPayload & { azp?: unknown; nonce?: unknown; c_hash?: unknown }>(token, keysOf(jwks), {
      algorithms: ["RS256"],
      issuer: issuers,
      audience: settings.audiences,
      requiredClaims: ["sub", "iat", "exp"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(instant),
    });
  try {
    const { payload } = await verifyAt(deps.now());
    return { payload, isExpired: false };
  } catch (error) {
    if (error instanceof errors.JWTExpired && typeof error.payload.iat === "number") {
      // All the rest of an expired token must hold as well, as of the instant that it was issued.
      const { payload } = await verifyAt(error.payload.iat * 1000).catch((reason) => {
        throw failed(reason instanceof errors.JOSEError ? reason.code : "not verified");
      });
      return { payload, isExpired: true };
    }
    if (error instanceof AppError) throw error;
    // What jose says of the token; anything else is about fetching the keys.
    if (error instanceof errors.JOSEError && !isAboutKeys(error)) throw failed(error.code);
    throw new AppError("service_unavailable", { reason: "the provider's keys", retryAfterSeconds: 5, cause: error });
  }
}

function isAboutKeys(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === "ERR_JOSE_GENERIC"
  );
}

function keysOf(url: string) {
  const known = keySets.get(url);
  if (known) return known;
  const keys = createRemoteJWKSet(new URL(url), {
    cooldownDuration: KEYS_COOLDOWN_MS,
    cacheMaxAge: KEYS_MAX_AGE_MS,
    [customFetch]: async () => {
      const deps = fetchers.get(url);
      if (!deps) throw new Error("nobody asks for the keys");
      const result = await callOutside(deps, url, { method: "GET", headers: { accept: "application/json" } });
      if (!result.answered) throw new Error(`keys: ${result.reason}`);
      return new Response(result.text, { status: result.status });
    },
  });
  keySets.set(url, keys);
  return keys;
}

function failed(reason: string): AppError {
  return new AppError("social_auth_failed", { reason: `ID token: ${reason}` });
}
