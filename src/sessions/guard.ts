import type { Context } from "hono";
import type { HomeKey } from "../platform/data/homes.ts";
import type { Deps } from "../platform/deps.ts";
import type { AppEnv } from "../platform/http/app-env.ts";
import { endpointFor, type Guard } from "../platform/http/endpoint.ts";
import { AppError, type ErrorCode } from "../platform/http/errors.ts";
import { reportActivity } from "./activity.service.ts";
import type { AdminClaims, MaybeExpiredClaims, StaffClaims } from "./claims.ts";
import { type AccessClaims, type AccessToken, type Verified, verifyAccessToken } from "./tokens.ts";

/** Declares a route that anyone may call. */
export const publicEndpoint = endpointFor<undefined>();
/** Declares a route for a signed-in user. */
export const userEndpoint = endpointFor<AccessToken>();
/** Declares a route for a user whose access token may have expired. */
export const expiringEndpoint = endpointFor<MaybeExpiredClaims>();
/** Declares a route for staff and admins. */
export const staffEndpoint = endpointFor<StaffClaims>();
/** Declares a route for admins. */
export const adminEndpoint = endpointFor<AdminClaims>();

/** Lets anyone call, without a token. */
export const publicAccess: Guard<undefined> = {
  name: "publicAccess",
  security: undefined,
  errors: [],
  authorize: async () => undefined,
};

/** The parts shared by all guards that check an access token. */
const bearer = {
  security: "bearer",
  errors: ["authentication_required", "token_not_valid"] as ErrorCode[],
  home: ({ userId }: AccessClaims): HomeKey => ({ user: userId }),
  writer: ({ userId, sessionId }: AccessClaims) => ({ userId, sessionId }),
  logFields: ({ userId, sessionId }: AccessClaims) => ({ user_id: userId, session_id: sessionId }),
  onSuccess: reportActivity,
} as const;

/**
 * Requires a valid access token, checked without I/O. The statement that reads or writes the route's data checks in the
 * same round trip that the session is live and the user active.
 */
export const authenticated: Guard<AccessToken> = { ...bearer, name: "authenticated", authorize: readValidToken };

/**
 * Like `authenticated`, for staff and admins. The token does not contain the role; the route's own batch checks it, see
 * `runStaffBatch`.
 */
export const staff: Guard<StaffClaims> = {
  ...bearer,
  name: "staff",
  role: "staff",
  home: homeOfTarget,
  errors: [...bearer.errors, "permission_denied", "passkey_required"],
  authorize: async (deps, c) => (await readValidToken(deps, c)) as StaffClaims,
};

/** Like `staff`, but only for admins. */
export const admin: Guard<AdminClaims> = {
  ...bearer,
  name: "admin",
  role: "admin",
  home: homeOfTarget,
  errors: [...bearer.errors, "permission_denied", "passkey_required"],
  authorize: async (deps, c) => (await readValidToken(deps, c)) as AdminClaims,
};

/** Like `authenticated`, but accepts an expired token, for a route that requires a second credential. */
export const authenticatedOrExpired: Guard<MaybeExpiredClaims> = {
  ...bearer,
  name: "authenticatedOrExpired",
  async authorize(deps, c) {
    const token = await readAccessToken(deps, c);
    if (token.state === "invalid") throw tokenNotValid(token);
    return token.claims as MaybeExpiredClaims;
  },
};

/** A staff route concerns the user in its path or, if the path names none, many users. */
function homeOfTarget(_: AccessClaims, params: unknown): HomeKey {
  const { id } = params as { id?: string };
  return id === undefined ? "every" : { user: id };
}

async function readValidToken(deps: Deps, c: Context<AppEnv>): Promise<AccessToken> {
  const token = await readAccessToken(deps, c);
  if (token.state === "valid") return token.claims;
  throw tokenNotValid(token);
}

async function readAccessToken(deps: Deps, c: Context<AppEnv>): Promise<Verified<AccessToken>> {
  const [scheme, token, ...rest] = (c.req.header("authorization") ?? "").trim().split(/ +/);
  if (scheme?.toLowerCase() !== "bearer" || !token || rest.length > 0) throw new AppError("authentication_required");
  return verifyAccessToken(deps, token);
}

/**
 * The 401 for an access token that is invalid or has expired, which it tells apart, and for a refresh token that logout
 * does not accept.
 */
export function tokenNotValid(verified: { state: string; reason?: string }): AppError {
  if (verified.state === "expired") {
    return new AppError("token_not_valid", {
      message: {
        en: "The token has expired. Refresh it and try again.",
        ne: "टोकनको म्याद सकियो। रिफ्रेस गरेर फेरि प्रयास गर्नुहोस्।",
      },
      // Lets an app tell an expired token from a damaged one (RFC 6750 section 3).
      headers: { "WWW-Authenticate": 'Bearer error="invalid_token", error_description="expired"' },
    });
  }
  return new AppError("token_not_valid", { reason: verified.reason ?? "invalid" });
}

/**
 * The 401 for a genuine token whose session has ended or whose user is not active, and for a refresh token that is not
 * accepted. `reason` is for the log.
 */
export function sessionEnded(reason = "session ended"): AppError {
  const message = { en: "Your session has ended. Sign in again.", ne: "तपाईंको सत्र अन्त्य भयो। फेरि साइन इन गर्नुहोस्।" };
  return new AppError("token_not_valid", { reason, message });
}

/** The 401 for an expired refresh token. */
export function sessionExpired(): AppError {
  const message = {
    en: "Your session has expired. Sign in again.",
    ne: "तपाईंको सत्रको म्याद सकियो। फेरि साइन इन गर्नुहोस्।",
  };
  return new AppError("token_not_valid", { reason: "refresh token expired", message });
}
