import { Webhook } from "standardwebhooks";
import { vi } from "vitest";
import { providerVars } from "./production.ts";

/** A request sent by the Worker. */
export interface Outgoing {
  url: string;
  method: string;
  headers: Headers;
  body: string;
  redirect: string;
}

export type Host = (request: Outgoing) => Response | Promise<Response>;

/** Replaces the network with these hosts, by origin; returns the requests that each receives. */
export function fakeInternet<Origin extends string>(hosts: Record<Origin, Host>): Record<Origin, Outgoing[]> {
  const received = Object.fromEntries(Object.keys(hosts).map((origin) => [origin, []])) as unknown as Record<
    Origin,
    Outgoing[]
  >;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init = {}) => {
    const request = new Request(input as string, init as RequestInit);
    const { origin } = new URL(request.url);
    const host = (hosts as Record<string, Host>)[origin];
    if (!host) throw new TypeError(`canary: no such host ${origin}`);
    const { url, method, headers, redirect } = request;
    const body = new TextDecoder().decode(await request.arrayBuffer());
    const outgoing = { url, method, headers, body, redirect };
    received[origin as Origin].push(outgoing);
    const aborted = new Promise<never>((_, reject) => {
      init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    });
    aborted.catch(() => undefined);
    return (await Promise.race([host(outgoing), aborted])) as Awaited<ReturnType<typeof fetch>>;
  });
  return received;
}

export const SPARROW = "https://api.sparrowsms.com";
export const FALLBACK = new URL(providerVars.SMS_FALLBACK_URL).origin;

/** Sparrow's documented refusal; its text contains a canary, because a provider's text may contain anything. */
export const sparrowRefusal = (code: number) =>
  Response.json({ response_code: code, response: `canary ${code}` }, { status: 403 });

/** Sparrow SMS as documented: checks the request and queues one message. */
export const sparrow: Host = ({ url, method, headers, body }) => {
  const form = new URLSearchParams(body);
  if (new URL(url).pathname !== "/v2/sms/" || method !== "POST") return new Response("not found", { status: 404 });
  if (!headers.get("content-type")?.startsWith("application/x-www-form-urlencoded")) return sparrowRefusal(1000);
  if (["token", "from", "to", "text"].some((name) => !form.has(name))) return sparrowRefusal(1000);
  if (form.get("token") !== providerVars.SPARROW_TOKEN) return sparrowRefusal(1002);
  if (!/^\d{10}$/.test(form.get("to") ?? "")) return sparrowRefusal(1007);
  if (form.get("from") !== providerVars.SPARROW_FROM) return sparrowRefusal(1008);
  if (!form.get("text")) return sparrowRefusal(1010);
  return Response.json({ count: 1, response_code: 200, response: "1 mesages has been queued for delivery" });
};

/** A gateway at the fallback URL that accepts only signed requests with the event id as key. */
export const fallback: Host = ({ method, headers, body }) => {
  const message = new Webhook(providerVars.SMS_FALLBACK_SECRET).verify(body, Object.fromEntries(headers)) as {
    id: string;
  };
  const isWhole = method === "POST" && headers.get("idempotency-key") === message.id;
  return isWhole ? new Response(null, { status: 202 }) : new Response("not whole", { status: 400 });
};

/** Creates a host; `advance` moves the stopped clock. */
export type Behaviour = (advance: (milliseconds: number) => void) => Host;

/** Kinds of misbehaviour of a host, each with an unknown outcome. */
export const misbehaviours: Record<string, Behaviour> = {
  "is silent past the deadline": (advance) => () => {
    queueMicrotask(() => advance(5_000));
    return new Promise(() => {});
  },
  "starts a response and never ends it": (advance) => () => {
    queueMicrotask(() => advance(5_000));
    return new Response(new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode("{")) }));
  },
  "answers with text that is not JSON": () => () => new Response("<html>canary</html>"),
  "answers with JSON of another shape": () => () => Response.json(["canary"]),
  "answers with an empty body": () => () => new Response(null, { status: 200 }),
  "answers with more than 64 KB": () => () =>
    Response.json({ count: 1, response_code: 200, response: "canary".repeat(20_000) }),
  redirects: () => () => new Response(null, { status: 307, headers: { location: "https://canary.example/" } }),
  "fails with 500": () => () => new Response("canary", { status: 500 }),
  "fails with 503 in its own format": () => () =>
    Response.json({ response_code: 200, count: 1, response: "canary" }, { status: 503 }),
  "closes the connection": () => () => {
    throw new TypeError("canary: connection lost to https://api.sparrowsms.com");
  },
};

/** Settings of a production whose providers accept every message, and a function for the newest code they received. */
export function fakeDelivery() {
  const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
  const mails: string[] = [];
  const EMAIL = { send: async ({ text }: { text: string }) => ({ messageId: String(mails.push(text)) }) };
  const env = { ...providerVars, EMAIL } as unknown as Partial<Env>;
  const newestCode = (identifier: string) => {
    const sms = new URLSearchParams(received[SPARROW]?.at(-1)?.body).get("text");
    const text = identifier.startsWith("+") ? sms : mails.at(-1);
    return /\b\d{6}\b/.exec(text ?? "")?.[0];
  };
  return { env, newestCode };
}
