import type { Deps } from "../deps.ts";

/** Time limit for the whole response of an external host, in milliseconds. */
export const OUTBOUND_DEADLINE_MS = 5_000;
/** Maximum size of a response that is read, in bytes. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Result of an external call: a response of any status, or the reason there is none. Without a response, it is unknown
 * whether the host processed the request.
 */
export type OutboundResult =
  | { answered: true; status: number; text: string }
  | { answered: false; reason: "deadline" | "network" | "redirect" | "too large" };

interface OutboundRequest {
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: string;
}

/**
 * Calls an external host. Redirects are not followed (ASVS 15.3.2), the response is limited in time and size
 * (API10:2023), and neither request nor response is logged.
 *
 * @throws if the URL's origin is not configured (ASVS 13.2.4); nothing is sent in that case.
 */
export async function callOutside(
  deps: Pick<Deps, "config" | "fetch">,
  url: string,
  request: OutboundRequest,
  deadlineMs = OUTBOUND_DEADLINE_MS,
): Promise<OutboundResult> {
  const { origin } = new URL(url);
  if (!deps.config.egressOrigins.has(origin)) throw new Error(`${origin} is not a configured origin`);
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expiry = new Promise<OutboundResult>((resolve) => {
    timer = setTimeout(() => resolve({ answered: false, reason: "deadline" }), deadlineMs);
  });
  const exchange = exchangeOnce(deps, url, { ...request, redirect: "manual", signal: controller.signal });
  try {
    return await Promise.race([exchange, expiry]);
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

/** Never rejects, because nothing handles a rejection after the deadline. */
async function exchangeOnce(deps: Pick<Deps, "fetch">, url: string, init: RequestInit): Promise<OutboundResult> {
  try {
    const response = await deps.fetch(url, init);
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      return { answered: false, reason: "redirect" };
    }
    const text = await readBounded(response);
    if (text === undefined) return { answered: false, reason: "too large" };
    return { answered: true, status: response.status, text };
  } catch {
    // The runtime's error message may quote the URL.
    return { answered: false, reason: "network" };
  }
}

/** The body as text; undefined if it exceeds the maximum size, regardless of its Content-Length. */
async function readBounded(response: Response): Promise<string | undefined> {
  if (!response.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > MAX_ANSWER_BYTES) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
