import { errors, type JWTPayload, jwtVerify } from "jose";
import { IDEMPOTENCY_TTL_MS } from "../../platform/data/idempotency.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { isAboutToken, remoteKeys } from "../../platform/http/remote-keys.ts";
import { readIdentity, type SocialIdentity } from "./social-identity.ts";
import type { SocialProvider } from "./social-provider.ts";

type IdTokenDeps = Pick<Deps, "config" | "fetch" | "now">;

/** Tolerated difference between the provider's clock and this service's. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** Maximum age of an ID token for a sign-in, in seconds. */
const MAX_AGE_SECONDS = 10 * 60;
/** How long after its first use an ID token would still be valid, in milliseconds: its issuer's clock may be ahead. */
export const ACCEPTED_MS = (CLOCK_TOLERANCE_SECONDS + MAX_AGE_SECONDS) * 1000;
/** Maximum age of an ID token in a repeated call, in seconds: its `Idempotency-Key` lives from the sign-in on. */
const MAX_REPEAT_SECONDS = MAX_AGE_SECONDS + IDEMPOTENCY_TTL_MS / 1000;
/** Longer tokens are rejected before any cryptography. */
const MAX_TOKEN_LENGTH = 8192;

/** What to require of a token beyond the provider's settings. */
export interface ExpectedToken {
  /** Whether the token's `nonce` is acceptable; called with undefined when the token has none. */
  nonce: (claim: string | undefined) => boolean | Promise<boolean>;
  givenName?: string | undefined;
  /** Accepts tokens of up to `MAX_REPEAT_SECONDS`, to answer a repeated call. The default maximum is 10 minutes. */
  acceptsStale?: boolean;
}

export interface VerifiedIdToken {
  identity: SocialIdentity;
  /** This service's client id that the token was issued to. */
  clientId: string;
  /** The claim `c_hash`: half of a hash of the authorization code issued with the token. Undefined if absent. */
  codeHash: string | undefined;
  /** The token is too old for a sign-in; it may only get a repeated call's first result. */
  isStale: boolean;
}

/**
 * Verifies an ID token: signature by the provider's keys, algorithm, issuer, audience, authorized party, times and
 * nonce (OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725).
 *
 * @throws AppError `social_auth_failed` for an invalid token, with the reason only in the log; `id_token_stale` for a
 *   valid but too old one; `service_unavailable` when the provider's keys cannot be fetched.
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
  if (!audiences.every(isOurs)) throw failed("unknown audience");
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

/** The claim, or undefined when it is not a string. */
const textOrAbsent = (claim: unknown): string | undefined => (typeof claim === "string" ? claim : undefined);

async function verifySignature(deps: IdTokenDeps, { settings, issuers }: SocialProvider, token: string) {
  const { jwks } = settings.endpoints;
  const verifyAt = (instant: number) =>
    jwtVerify<JWTPayload & { azp?: unknown; nonce?: unknown; c_hash?: unknown }>(token, remoteKeys(deps, jwks), {
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
      // jose stops at the expiry, so the other checks run again as of the time of issue.
      const { payload } = await verifyAt(error.payload.iat * 1000).catch((reason) => {
        throw failed(reason instanceof errors.JOSEError ? reason.code : "not verified");
      });
      return { payload, isExpired: true };
    }
    if (error instanceof AppError) throw error;
    // Any other error comes from fetching the keys.
    if (isAboutToken(error)) throw failed(error.code);
    throw new AppError("service_unavailable", { reason: "the provider's keys", retryAfterSeconds: 5, cause: error });
  }
}

function failed(reason: string): AppError {
  return new AppError("social_auth_failed", { reason: `ID token: ${reason}` });
}
