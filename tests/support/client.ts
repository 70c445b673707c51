import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import worker from "../../src/index.ts";

/** A response as a client sees it, with its JSON parsed. */
export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read bodies of every shape; OpenAPI checks the shapes themselves.
  body: any;
}

export interface CallOptions {
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as urlencoded form. */
  form?: Record<string, string>;
  /** Sent as multipart form. */
  multipart?: Record<string, string | File>;
  /** Raw body; set the content type in `headers`. */
  raw?: BodyInit;
  /** Access token. */
  token?: string;
  headers?: Record<string, string>;
  /** Client address; limits are counted by its /24 or /64. */
  ip?: string;
  /** Bindings and variables that replace the test's own. */
  env?: Partial<Env>;
  /** Scheme and host. */
  origin?: string;
}

const droppingQueue = { send: async () => {}, sendBatch: async () => {} };

/**
 * Bindings of every call. Task messages are dropped, because a queue that delivers by itself would still be working
 * when the test is over. Tests of tasks deliver messages themselves (`heldTasks`, `Simulation`).
 */
export const testEnv: Env = {
  ...env,
  TASK_QUEUE: droppingQueue as unknown as Queue,
  SEARCH_QUEUE: droppingQueue as unknown as Queue,
};

/** @throws Error if a response with status 429 does not say which limit was reached and when it ends. */
export function checkLimitHeaders({ status, headers }: Pick<Answer, "status" | "headers">): void {
  if (status !== 429) return;
  const [policy, limit, wait] = ["RateLimit-Policy", "RateLimit", "Retry-After"].map((name) => headers.get(name) ?? "");
  const [, name] = /^"([a-z-]+)";q=[1-9]\d*;w=[1-9]\d*$/.exec(policy ?? "") ?? [];
  if (name === undefined || !/^[1-9]\d*$/.test(wait ?? "") || limit !== `"${name}";r=0;t=${wait}`) {
    throw new Error(`429 with RateLimit-Policy: ${policy}, RateLimit: ${limit}, Retry-After: ${wait}`);
  }
}

/** Calls the Worker like a client and waits for its work after the response. */
export async function call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const context = createExecutionContext();
  const request = buildRequest(method, path, options) as Parameters<typeof worker.fetch>[0];
  const response = await worker.fetch(request, { ...testEnv, ...options.env }, context);
  // Not `text()`, which warns about the body of an image.
  const text = new TextDecoder().decode(await response.arrayBuffer());
  await waitOnExecutionContext(context);
  checkLimitHeaders(response);
  const isJson = response.headers.get("content-type")?.startsWith("application/json") && text !== "";
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

export function buildRequest(method: string, path: string, options: CallOptions): Request {
  const headers = new Headers(options.headers);
  // What a browser adds to the calls of the console's page; tests that refuse a caller give other values.
  if (path.startsWith("/console/session")) {
    const own = options.origin ?? originOf(options);
    if (!headers.has("Origin")) headers.set("Origin", own);
    if (!headers.has("Sec-Fetch-Site")) headers.set("Sec-Fetch-Site", "same-origin");
  }
  headers.set("cf-connecting-ip", options.ip ?? "203.0.113.7");
  if (options.token !== undefined) headers.set("authorization", `Bearer ${options.token}`);
  let body = options.raw;
  if (options.json !== undefined) {
    headers.set("content-type", "application/json");
    body = JSON.stringify(options.json);
  } else if (options.form) {
    body = new URLSearchParams(options.form);
  } else if (options.multipart) {
    const form = new FormData();
    for (const [name, value] of Object.entries(options.multipart)) form.append(name, value);
    body = form;
  }
  return new Request((options.origin ?? originOf(options)) + path, { method, headers, ...(body ? { body } : {}) });
}

/** Production only responds over https. */
function originOf({ env }: CallOptions): string {
  const isProduction = env !== undefined && "ENVIRONMENT" in env && env.ENVIRONMENT !== "development";
  return `${isProduction ? "https" : "http"}://localhost`;
}

/** Saved before tests replace the timers. */
const realSetTimeout = globalThis.setTimeout;

let serial = Math.floor(Math.random() * 900_000);

/** Returns an unused Nepali mobile number in E.164; numbers are spread over a thousand ranges. */
export function newPhone(): string {
  serial += 1;
  return `+977984${String((serial * 3_141_593) % 10_000_000).padStart(7, "0")}`;
}

/** Returns an unused e-mail address. */
export function newEmail(): string {
  serial += 1;
  return `person${serial}@example.com`;
}

/** Returns an IPv4 address in an unused /24. */
export function newIp(): string {
  serial += 1;
  return `10.${Math.floor(serial / 256) % 256}.${serial % 256}.${1 + (serial % 250)}`;
}

/** The /24 of an IPv4 address, by which limits are counted. */
export const networkOf = (ip: string): string => `${ip.split(".").slice(0, 3).join(".")}.0/24`;

/** Returns the newest code sent to the canonical identifier, after the queue has delivered `count` messages to it. */
export async function readCode(identifier: string, count = 1): Promise<string> {
  for (let i = 0; i < 500; i++) {
    // While the clock stands still, the ids of two codes are in any order; only one of them is not used up.
    const found = await env.DB.prepare(
      `select code from local_outbox where recipient = ? order by created_at desc,
        exists (select 1 from otp_challenges c where c.cid = substr(local_outbox.id, 15) and c.consumed_by is not null), id desc`,
    )
      .bind(identifier)
      .all<{ code: string }>();
    const [newest] = found.results;
    if (newest && found.results.length >= count) return newest.code;
    await new Promise((resolve) => realSetTimeout(resolve, 10));
  }
  throw new Error(`fewer than ${count} messages to ${identifier} within 5 seconds`);
}

/** Requests a code and reads it. */
export async function requestCode(identifier: string, options: CallOptions = {}): Promise<string> {
  const sentBefore = await env.DB.prepare("select count(*) as n from local_outbox where recipient = ?")
    .bind(identifier)
    .first<{ n: number }>();
  const answer = await call("POST", "/api/auth/otp/request", { ...options, json: { identifier } });
  if (answer.status !== 200) throw new Error(`otp/request: ${JSON.stringify(answer.body)}`);
  return readCode(identifier, (sentBefore?.n ?? 0) + 1);
}

/** Verifies the identifier and returns the verification token. */
export async function verify(identifier: string, options: CallOptions = {}): Promise<string> {
  const otp = await requestCode(identifier, options);
  const answer = await call("POST", "/api/auth/otp/verify", { ...options, json: { identifier, otp } });
  if (answer.status !== 200) throw new Error(`otp/verify: ${JSON.stringify(answer.body)}`);
  return answer.body.data.verification_token;
}

export interface SignedIn {
  identifier: string;
  userId: string;
  access: string;
  refresh: string;
}

/** Registers a new user through the API. */
export async function signUp(identifier = newPhone(), options: CallOptions = {}): Promise<SignedIn> {
  const verification_token = await verify(identifier, options);
  const answer = await call("POST", "/api/auth/register", { ...options, json: { identifier, verification_token } });
  if (answer.status !== 201) throw new Error(`register: ${JSON.stringify(answer.body)}`);
  const { user_id, access_token, refresh_token } = answer.body.data;
  return { identifier, userId: user_id, access: access_token, refresh: refresh_token };
}

/** Signs an existing user in again, by default from another network, so that no sending limit applies. */
export async function logIn(identifier: string, options: CallOptions = { ip: newIp() }): Promise<SignedIn> {
  const verification_token = await verify(identifier, options);
  const answer = await call("POST", "/api/auth/login", { ...options, json: { identifier, verification_token } });
  if (answer.status !== 200) throw new Error(`login: ${JSON.stringify(answer.body)}`);
  const { user_id, access_token, refresh_token } = answer.body.data;
  return { identifier, userId: user_id, access: access_token, refresh: refresh_token };
}
