import type { Context } from "hono";
import type { Deps } from "../platform/deps.ts";
import type { AppEnv } from "../platform/http/app-env.ts";
import { endpointFor, type Guard } from "../platform/http/endpoint.ts";
import { AppError } from "../platform/http/errors.ts";
import { reportActivity } from "./activity.service.ts";
import { type AccessClaims, type Verified, verifyAccessToken } from "./tokens.ts";

/** Declares a route that anyone may call. */
export const publicEndpoint = endpointFor<undefined>();
/** Declares a route for a signed-in user. */
export const userEndpoint = endpointFor<AccessClaims>();
/** Declares a route for a user whose access token may have expired. */
export const expiringEndpoint = endpointFor<AccessClaims>();

/** Declares a route for staff. */
export const staffEndpoint = endpointFor<AccessClaims>();

/** Nobody is asked who they are. */
export const publicAccess: Guard<undefined> = {
  security: undefined,
  errors: [],
  authorize: async () => undefined,
};

/**
 * A valid access token. It is checked without I/O; that its session still lives and its user may act is checked by the
 * statement that reads or writes the route's data, in the same round trip.
 */
export const authenticated: Guard<AccessClaims> = {
  security: "bearer",
  errors: ["authentication_required", "token_not_valid"],
  async authorize(deps, c) {
    const token = await readAccessToken(deps, c);
    if (token.state === "valid") return token.claims;
    throw tokenNotValid(token);
  },
  writer: ({ userId, sessionId }) => ({ userId, sessionId }),
  onSuccess: reportActivity,
};

/**
 * As `authenticated`. That the user is staff is checked with the session, by the statement that reads or writes the route's
 * data (`isStaff`); `refuseUnlessStaff` then says which of the two was missing.
 */
export const staffOnly: Guard<AccessClaims> = {
  ...authenticated,
  errors: [...authenticated.errors, "permission_denied"],
};

/**
 * @param caller what `selectCaller` found.
 * @throws AppError `token_not_valid` when the session has ended, `permission_denied` when the user is not staff.
 */
export function refuseUnlessStaff(caller: { role: string } | undefined): void {
  if (!caller) throw sessionEnded();
  if (caller.role === "user") throw new AppError("permission_denied", { reason: "not staff" });
}

/**
 * Says why `mayChangeAccount` refused a member of staff.
 *
 * @param caller what `selectCaller` found.
 * @throws AppError `permission_denied` for one's own account, and for an account of staff where the caller is no admin.
 */
export function refuseUnlessMayChange(
  caller: { role: string } | undefined,
  { caller: { userId: callerId }, userId }: { caller: AccessClaims; userId: string },
  target: { role: string },
): void {
  if (userId === callerId) {
    throw new AppError("permission_denied", {
      message: {
        en: "You cannot do this to your own account. Ask another admin.",
        ne: "आफ्नै खातामा यो गर्न मिल्दैन। अर्को एडमिनलाई भन्नुहोस्।",
      },
    });
  }
  if (target.role !== "user" && caller?.role !== "admin") {
    throw new AppError("permission_denied", {
      message: { en: "Only an admin can do this to a staff account.", ne: "कर्मचारीको खातामा यो एडमिनले मात्र गर्न सक्छ।" },
    });
  }
}

/** As `authenticated`, but an expired token will do: for a route that then asks for a second proof. */
export const authenticatedOrExpired: Guard<AccessClaims> = {
  ...authenticated,
  async authorize(deps, c) {
    const token = await readAccessToken(deps, c);
    if (token.state === "invalid") throw tokenNotValid(token);
    return token.claims;
  },
};

async function readAccessToken(deps: Deps, c: Context<AppEnv>): Promise<Verified<AccessClaims>> {
  const [scheme, token, ...rest] = (c.req.header("authorization") ?? "").trim().split(/ +/);
  if (scheme?.toLowerCase() !== "bearer" || !token || rest.length > 0) throw new AppError("authentication_required");
  return verifyAccessToken(deps, token);
}

/** 401 for an access or refresh token, saying whether it is expired or invalid. */
export function tokenNotValid(verified: { state: string; reason?: string }): AppError {
  if (verified.state === "expired") {
    return new AppError("token_not_valid", {
      message: {
        en: "The token has expired. Refresh it, or sign in again.",
        ne: "टोकनको म्याद सकियो। रिफ्रेस गर्नुहोस् वा फेरि साइन इन गर्नुहोस्।",
      },
      // RFC 6750 section 3: lets an app tell "refresh" from "sign in again".
      headers: { "WWW-Authenticate": 'Bearer error="invalid_token", error_description="expired"' },
    });
  }
  return new AppError("token_not_valid", { reason: verified.reason ?? "invalid" });
}

/** 401 for a token of ours whose session has ended, or whose user may not act. */
export function sessionEnded(): AppError {
  const message = { en: "Your session has ended. Sign in again.", ne: "तपाईंको सत्र अन्त्य भयो। फेरि साइन इन गर्नुहोस्।" };
  return new AppError("token_not_valid", { reason: "session ended", message });
}
