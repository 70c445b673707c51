import { z } from "zod";
import { raiseAlert } from "../../platform/alerts.ts";
import { equalInConstantTime, sha256 } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { describeError } from "../../platform/log.ts";
import { encryptEphemeral } from "../../platform/sealed.ts";
import { verifyIdToken } from "./id-token.ts";
import { callbackUrl, type Flow, openFlow, random } from "./social-flow.service.ts";
import { consumeState, storeCode } from "./social-flow.store.ts";
import { findProvider, type ProviderName } from "./social-provider.ts";
import { sealRefreshToken } from "./social-refresh-token.ts";
import { exchangeCode } from "./social-token.ts";

/** The fields of a provider's authorization response. */
export interface CallbackAnswer {
  code?: string | undefined;
  state?: string | undefined;
  error?: string | undefined;
  /** RFC 9207. */
  iss?: string | undefined;
  /** Apple sends the person's name here as JSON, but only the first time. */
  user?: string | undefined;
  /** A field that is not text or was sent more than once (RFC 6749 section 3.1); the flow then fails. */
  malformed?: string | undefined;
}

/**
 * Handles the authorization response to a flow: consumes the state, exchanges the code for an ID token and stores the
 * identity under a one-time code.
 *
 * @returns the URL to send the browser to.
 * @throws AppError `social_auth_failed`; `service_unavailable` when the provider or D1 does not respond.
 */
async function completeFlow(deps: Deps, name: ProviderName, flow: Flow, answer: CallbackAnswer): Promise<string> {
  const provider = findProvider(deps.config, name);
  if (flow.expiresAt <= deps.now()) throw failed("flow expired");
  if (answer.malformed !== undefined) throw failed(`malformed ${answer.malformed}`);
  if (answer.iss !== undefined && answer.iss !== provider.settings.endpoints.issuer) throw failed("iss");
  if (answer.error !== undefined && isOutage(answer.error)) {
    throw new AppError("service_unavailable", { reason: `provider error ${answer.error}`, retryAfterSeconds: 5 });
  }
  if (answer.error !== undefined)
    throw failed(`provider error ${/^[a-z_]{1,60}$/.exec(answer.error) ?? "with a malformed code"}`);
  if (!answer.code) throw failed("no code");
  if (!(await consumeState(deps, await sha256(flow.state), flow.expiresAt))) throw failed("state used");
  const { clientId } = provider.settings;
  const tokens = await exchangeCode(deps, provider, {
    code: answer.code,
    clientId,
    redirectUri: callbackUrl(deps, name),
    ...(name === "google" ? { codeVerifier: flow.codeVerifier } : {}),
  });
  const { identity, clientId: audience } = await verifyIdToken(deps, provider, tokens.idToken, {
    nonce: (claim) => claim !== undefined && isSame(claim, flow.nonce),
    givenName: readAppleName(answer.user),
  });
  if (audience !== clientId) throw failed("ID token of another client");
  const refreshToken = name === "apple" ? await sealRefreshToken(deps, tokens.refreshToken, clientId) : undefined;
  const code = random(deps);
  await storeCode(deps, {
    codeHash: await sha256(code),
    sealedIdentity: await encryptEphemeral(deps, "social identity", { identity, refreshToken }),
    flowHash: await sha256(flow.secret),
    codeChallenge: flow.codeChallenge,
  });
  return landingUrl(deps, flow, "success", { code });
}

/**
 * Handles a provider's callback: completes the flow identified by the browser's cookie and the state. Once the flow is
 * known, every failure redirects the browser to the app with `error` (RFC 6749 section 4.1.2.1) and the app's `state`.
 *
 * @param admit counts the call towards the network's rate limit and throws if it is exceeded.
 * @param isPerson whether a person sees the response; every failure of a flow without an app then ends at the error
 *   page.
 * @returns the URL to send the browser to.
 * @throws AppError `not_found` if the provider is not configured; any error other than `social_auth_failed` if there is
 *   neither an app nor a person to report it to.
 */
export async function answerCallback(
  deps: Deps,
  name: ProviderName,
  cookie: string | undefined,
  answer: CallbackAnswer,
  { admit, isPerson }: { admit: () => Promise<void>; isPerson: boolean },
): Promise<string> {
  const opened = await openFlow(deps, name, cookie);
  // Only a response to this browser's own flow may redirect it to the app.
  const flow = opened && answer.state !== undefined && isSame(answer.state, opened.state) ? opened : undefined;
  if (!opened) {
    await admit();
    // Without a flow, the callback of an unconfigured provider is 404.
    findProvider(deps.config, name);
  }
  try {
    if (opened) await admit();
    if (!flow) throw failed(opened ? "state" : "no flow of this browser");
    return await completeFlow(deps, name, flow, answer);
  } catch (error) {
    const code = codeOfFailure(error);
    if (code !== "social_auth_failed" && flow?.redirectUri == null && !isPerson) throw error;
    const reason = error instanceof AppError ? error.options.reason : describeError(error);
    if (code === "server_error") raiseAlert(deps, "request_failed", { reason });
    else deps.log.warn("social_flow_failed", { provider: name, reason });
    const isCancelled = code === "social_auth_failed" && CANCELLED.includes(answer.error ?? "");
    return landingUrl(deps, flow, "error", { error: isCancelled ? "access_denied" : code });
  }
}

/** The app's redirect URI with the result and the app's state; without an app, the success or the error page. */
function landingUrl(
  deps: Pick<Deps, "config">,
  flow: Flow | undefined,
  page: "success" | "error",
  result: Record<string, string>,
): string {
  const next = new URL(flow?.redirectUri ?? new URL(`/api/auth/social/${page}`, deps.config.issuer));
  for (const [key, value] of Object.entries(result)) next.searchParams.set(key, value);
  if (flow?.redirectUri != null && flow.appState !== null) next.searchParams.set("state", flow.appState);
  return next.href;
}

/** The `error` parameter that reports a failed flow to the app. */
function codeOfFailure(error: unknown): "social_auth_failed" | "temporarily_unavailable" | "server_error" {
  const code = error instanceof AppError ? error.code : undefined;
  if (code === "social_auth_failed" || code === "id_token_stale") return "social_auth_failed";
  const isTemporary = code === "service_unavailable" || code === "rate_limit_exceeded";
  return isTemporary ? "temporarily_unavailable" : "server_error";
}

/** Whether a provider's error code reports an outage of the provider (RFC 6749 section 4.1.2.1). */
const isOutage = (error: string) => error === "temporarily_unavailable" || error === "server_error";

/** The `error` values with which Google and Apple report that the person cancelled. */
const CANCELLED = ["access_denied", "user_cancelled_authorize"];

/** A part of a name; it counts as absent if it is not a string. */
const namePart = z.string().optional().catch(undefined);
const appleUser = z.object({ name: z.object({ firstName: namePart, lastName: namePart }) });

/** The name in the JSON that Apple posts with its first code; undefined if there is none. */
export function readAppleName(user: string | undefined): string | undefined {
  if (user === undefined || user.length > 2048) return undefined;
  try {
    const { firstName = "", lastName = "" } = appleUser.parse(JSON.parse(user)).name;
    return `${firstName} ${lastName}`.trim() || undefined;
  } catch {
    return undefined;
  }
}

function isSame(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  return equalInConstantTime(encoder.encode(a), encoder.encode(b));
}

const failed = (reason: string) => new AppError("social_auth_failed", { reason });
