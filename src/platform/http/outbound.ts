import type { Deps } from "../deps.ts";

/** How long an outside host may take for its whole answer, in milliseconds. */
export const OUTBOUND_DEADLINE_MS = 5_000;
/** The most of an outside host's answer that is read. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/** What came of a call: an answer of any status, or why there is none. Without one nobody knows what the host did. */
export type OutboundResult =
  | { answered: true; status: number; text: string }
  | { answered: false; reason: "deadline" | "network" | "redirect" | "too large" };

interface OutboundRequest {
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: string;
}

/**
 * Calls an outside host: no redirect is followed (ASVS 15.3.2), the answer is bounded in time and size (API10:2023), and
 * neither what is sent nor what comes back is logged.
 *
 * @throws when the URL's origin is not one of the configuration's (ASVS 13.2.4): nothing was sent then.
 */
export async function callOutside(
  deps: Pick<Deps, "config" | "fetch">,
  url: string,
  request: OutboundRequest,
  deadlineMs = OUTBOUND_DEADLINE_MS,
): Promise<OutboundResult> {
  const { origin } = new URL(url);
  if (!deps.config.egressOrigins.has(origin)) throw new Error(`${origin} is not an origin that may be called`);
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

/** Never rejects: after the deadline nobody listens any more. */
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
    // The runtime's own words may quote the URL.
    return { answered: false, reason: "network" };
  }
}

/** The body as text; undefined when it is longer than the cap, whatever its Content-Length says. */
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
