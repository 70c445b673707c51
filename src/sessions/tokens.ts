import { type CompactJWSHeaderParameters, CompactSign, errors, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import type { sessions } from "../db/sign-in-schema.ts";
import type { Deps } from "../platform/deps.ts";

/** Lifetime of an access token, in seconds. */
export const ACCESS_TTL_SECONDS = 15 * 60;

/** `typ` headers, so that neither kind of token passes as the other (RFC 8725 section 3.11; RFC 9068 section 2.1). */
const ACCESS_TYP = "at+jwt";
const REFRESH_TYP = "rt+jwt";

/** Tolerated difference between the clocks of two Cloudflare machines. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** Longer tokens were not issued here and are rejected before any cryptography. */
const MAX_TOKEN_LENGTH = 2048;

export interface AccessClaims {
  userId: string;
  sessionId: string;
}

/** The claims of a verified access token. */
export interface AccessToken extends AccessClaims {
  /** When the sign-in or refresh issued this token, in milliseconds since the epoch. */
  issuedAt: number;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface RefreshClaims extends AccessClaims {
  /** The session's counter when this token was minted. */
  counter: number;
}

export type Verified<Claims> = { state: "valid" | "expired"; claims: Claims } | { state: "invalid"; reason: string };

type TokenDeps = Pick<Deps, "config" | "keyring" | "now" | "newId">;

/** A new EdDSA JWT that is valid for 15 minutes. */
export function mintAccessToken(deps: TokenDeps, { userId, sessionId }: AccessClaims): Promise<string> {
  const issuedAt = Math.floor(deps.now() / 1000);
  const { kid, signingKey } = deps.keyring.accessToken;
  const claims = {
    user_id: userId,
    sid: sessionId,
    token_type: "access",
    iss: deps.config.issuer,
    aud: deps.config.audience,
    sub: userId,
    jti: deps.newId(),
    iat: issuedAt,
    exp: issuedAt + ACCESS_TTL_SECONDS,
  };
  return sign(claims, { alg: "EdDSA", kid, typ: ACCESS_TYP }, signingKey);
}

export type MintableSession = Pick<
  typeof sessions.$inferSelect,
  "id" | "userId" | "counter" | "refreshKeyId" | "rotatedAt" | "idleExpiresAt"
>;

/**
 * The current refresh token of a session. It depends only on the session's row (HS256 is deterministic), so that a lost
 * one can be minted again byte for byte. Undefined when its key has been retired.
 */
export async function mintRefreshToken(deps: TokenDeps, session: MintableSession): Promise<string | undefined> {
  const key = deps.keyring.secrets.get(session.refreshKeyId)?.refreshToken;
  if (!key) return undefined;
  // The order of the claims is part of the token's bytes.
  const claims = {
    user_id: session.userId,
    sid: session.id,
    token_type: "refresh",
    counter: session.counter,
    iss: deps.config.issuer,
    aud: deps.config.audience,
    sub: session.userId,
    jti: `${session.id}.${session.counter}`,
    iat: Math.floor(session.rotatedAt / 1000),
    exp: Math.floor(session.idleExpiresAt / 1000),
  };
  return sign(claims, { alg: "HS256", kid: session.refreshKeyId, typ: REFRESH_TYP }, key);
}

const encoder = new TextEncoder();

/** Signs the claims' JSON as a JWS, which is a JWT (RFC 7519 section 3). `SignJWT` would first clone the claims. */
function sign(claims: JWTPayload, header: CompactJWSHeaderParameters, key: Key): Promise<string> {
  return new CompactSign(encoder.encode(JSON.stringify(claims))).setProtectedHeader(header).sign(key);
}

const accessPayload = z.object({
  sub: z.string(),
  user_id: z.string(),
  sid: z.string(),
  token_type: z.literal("access"),
  iat: z.number(),
  exp: z.number(),
});
const refreshPayload = z.object({
  sub: z.string(),
  sid: z.string(),
  token_type: z.literal("refresh"),
  counter: z.number().int().nonnegative(),
});

/** Verifies signature and claims without I/O. It does not check that the session is live; the database does. */
export async function verifyAccessToken(deps: TokenDeps, token: string): Promise<Verified<AccessToken>> {
  const { verifyingKeys } = deps.keyring.accessToken;
  const checked = await verify(deps, token, { alg: "EdDSA", typ: ACCESS_TYP, keyFor: (kid) => verifyingKeys.get(kid) });
  if (checked.state === "invalid") return checked;
  const payload = accessPayload.safeParse(checked.claims);
  if (!payload.success || payload.data.sub !== payload.data.user_id) return { state: "invalid", reason: "claims" };
  const { sub: userId, sid: sessionId, iat, exp } = payload.data;
  return { state: checked.state, claims: { userId, sessionId, issuedAt: iat * 1000, expiresAt: exp * 1000 } };
}

/** Like `verifyAccessToken`, for refresh tokens. */
export async function verifyRefreshToken(deps: TokenDeps, token: string): Promise<Verified<RefreshClaims>> {
  const keyFor = (kid: string) => deps.keyring.secrets.get(kid)?.refreshToken;
  const checked = await verify(deps, token, { alg: "HS256", typ: REFRESH_TYP, keyFor });
  if (checked.state === "invalid") return checked;
  const payload = refreshPayload.safeParse(checked.claims);
  if (!payload.success) return { state: "invalid", reason: "claims" };
  const { sub, sid, counter } = payload.data;
  return { state: checked.state, claims: { userId: sub, sessionId: sid, counter } };
}

type Key = NonNullable<ReturnType<Deps["keyring"]["accessToken"]["verifyingKeys"]["get"]>>;

interface Expected {
  alg: "EdDSA" | "HS256";
  typ: string;
  /** Keys come only from the configuration; jku, jwk and x5u headers are never read (RFC 8725 section 3.10). */
  keyFor: (kid: string) => Key | undefined;
}

async function verify(deps: TokenDeps, token: string, expected: Expected): Promise<Verified<JWTPayload>> {
  if (token.length > MAX_TOKEN_LENGTH) return { state: "invalid", reason: "length" };
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = kid === undefined ? undefined : expected.keyFor(kid);
        if (!key) throw new errors.JWKSNoMatchingKey();
        return key;
      },
      {
        algorithms: [expected.alg],
        typ: expected.typ,
        issuer: deps.config.issuer,
        audience: deps.config.audience,
        requiredClaims: ["sub", "sid", "jti", "iat", "exp"],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(deps.now()),
      },
    );
    // jose checks `iat` only against a maximum age; a token issued in the future is invalid as well.
    if ((payload.iat ?? 0) > deps.now() / 1000 + CLOCK_TOLERANCE_SECONDS) return { state: "invalid", reason: "iat" };
    return { state: "valid", claims: payload };
  } catch (error) {
    // jose checks `exp` last, so signature, issuer and audience are already verified here.
    if (error instanceof errors.JWTExpired) return { state: "expired", claims: error.payload };
    return { state: "invalid", reason: error instanceof errors.JOSEError ? error.code : "malformed" };
  }
}
