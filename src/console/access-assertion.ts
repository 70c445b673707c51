import { jwtVerify } from "jose";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/http/errors.ts";
import { isAboutToken, remoteKeys } from "../platform/http/remote-keys.ts";

/** The header in which Cloudflare Access passes its assertion. */
export const ASSERTION_HEADER = "Cf-Access-Jwt-Assertion";

/** Tolerated difference between the clocks of two Cloudflare machines. */
const CLOCK_TOLERANCE_SECONDS = 5;
/** Longer assertions are rejected before any cryptography. */
const MAX_ASSERTION_LENGTH = 8192;

/**
 * Requires the assertion that Cloudflare Access adds to the requests it admits: signed with the team's keys (RS256),
 * for this application, not expired (Cloudflare One documentation, "Validate JWTs"). Does nothing if no application is
 * configured.
 *
 * @throws AppError `permission_denied` without a valid assertion; `service_unavailable` if the keys cannot be fetched.
 */
export async function requireAssertion(
  deps: Pick<Deps, "config" | "fetch" | "now">,
  assertion: string | undefined,
): Promise<void> {
  const { access } = deps.config.console;
  if (!access) return;
  if (!assertion || assertion.length > MAX_ASSERTION_LENGTH) throw refused("absent");
  try {
    await jwtVerify(assertion, remoteKeys(deps, `${access.issuer}/cdn-cgi/access/certs`), {
      algorithms: ["RS256"],
      issuer: access.issuer,
      audience: access.audience,
      requiredClaims: ["sub", "iat", "exp"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(deps.now()),
    });
  } catch (error) {
    if (isAboutToken(error)) throw refused(error.code);
    throw new AppError("service_unavailable", {
      reason: "the keys of Cloudflare Access",
      retryAfterSeconds: 5,
      cause: error,
    });
  }
}

function refused(reason: string): AppError {
  return new AppError("permission_denied", {
    reason: `Cloudflare Access: ${reason}`,
    message: { en: "Sign in to Cloudflare Access first.", ne: "पहिले Cloudflare Access मा साइन इन गर्नुहोस्।" },
  });
}
