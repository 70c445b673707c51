import { type Answer, type CallOptions, call } from "../support/client.ts";
import { findDeviations, type OpenApiDocument } from "../support/openapi.ts";

let sent = 0;

/** Number of requests that `send` has made. */
export const countRequests = () => sent;

/** A single user sends thousands of calls in these tests. */
const unlimited = { USER_RATE_LIMITER: { limit: async () => ({ success: true }) } as RateLimit };

/** Calls by https and counts the call. */
export function send(method: string, path: string, options: CallOptions): Promise<Answer> {
  sent += 1;
  return call(method, path, { origin: "https://api.example.com", ...options, env: { ...unlimited, ...options.env } });
}

const ALWAYS: Readonly<Record<string, RegExp>> = {
  "x-request-id": /^[\w=-]+$/,
  "x-content-type-options": /^nosniff$/,
  "referrer-policy": /^no-referrer$/,
  "strict-transport-security": /max-age=31536000/,
  "cache-control": /./,
};

/** Additional headers of HTML pages. */
const PAGE_HEADERS: Readonly<Record<string, RegExp>> = {
  "x-frame-options": /^DENY$/,
  "content-security-policy": /default-src 'none'.*frame-ancestors 'none'/,
};

/** Text that only internals would produce: the service's code, its libraries or its stores. */
const INSIDE = /\bat \S+ \(|\.[jt]s:\d+|D1_|SQLITE|drizzle|ZodError|TypeError|SyntaxError|node_modules|Cannot read/;

/** Violations of the contract in the response to any request; empty if there are none. */
export function findFaults(document: OpenApiDocument, method: string, path: string, answer: Answer): string[] {
  const { status, headers, body } = answer;
  const isPage = headers.get("content-type")?.startsWith("text/html") === true;
  const faults = Object.entries(isPage ? { ...ALWAYS, ...PAGE_HEADERS } : ALWAYS)
    .filter(([name, form]) => !form.test(headers.get(name) ?? ""))
    .map(([name]) => `${name}: ${headers.get(name)}`);
  if (status >= 500) faults.push(`status ${status}`);
  if (status >= 400) faults.push(...findFailureFaults(answer, method));
  if (status === 303 && !isSafeTarget(headers.get("location") ?? ""))
    faults.push(`redirects to ${headers.get("location")}`);
  const pathname = new URL(path, "https://api.example.com").pathname;
  const isJson = typeof body === "object";
  if (isJson && method !== "HEAD") {
    const deviations = findDeviations(document, { method, path: pathname, status, body });
    // For a path or method without an operation, only the failure shape is guaranteed.
    const isElsewhere = deviations.some((each) => each.endsWith("is not in the document"));
    const isPromised = isElsewhere && [404, 405].includes(status);
    if (!isPromised) faults.push(...deviations);
  }
  return faults;
}

/** The service's own pages, the providers' sign-in pages, and the configured addresses of apps. */
function isSafeTarget(location: string): boolean {
  return [
    "https://api.example.com/api/auth/social/",
    "https://accounts.google.com/o/oauth2/v2/auth?",
    "https://appleid.apple.com/auth/authorize?",
    "com.example.app:/signed-in?",
    "https://app.example.com/signed-in?",
  ].some((start) => location.startsWith(start));
}

function findFailureFaults({ status, headers, body }: Answer, method: string): string[] {
  const faults: string[] = [];
  if (status === 401 && !/^Bearer/.test(headers.get("www-authenticate") ?? "")) faults.push("401 without a challenge");
  if (status === 405 && !headers.get("allow")) faults.push("405 without Allow");
  if ([429, 503].includes(status) && !/^[1-9]\d*$/.test(headers.get("retry-after") ?? ""))
    faults.push("no Retry-After");
  if (method === "HEAD") return faults;
  const { success, error, request_id, data, ...others } = Object(body);
  if (success !== false || typeof error?.code !== "string" || !/\S/.test(error?.message ?? ""))
    faults.push(`not an error response: ${JSON.stringify(body)?.slice(0, 300)}`);
  if (request_id !== headers.get("x-request-id")) faults.push("request_id differs from X-Request-Id");
  if (Object.keys(others).length > 0) faults.push(`undocumented members: ${Object.keys(others)}`);
  if (error?.details && error.code !== "validation_error")
    faults.push("details with a code other than validation_error");
  if (INSIDE.test(JSON.stringify(body))) faults.push(`internal text: ${JSON.stringify(body).slice(0, 300)}`);
  return faults;
}
