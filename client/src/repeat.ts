import { clientError, UsersApiError } from "./errors.ts";
import type { ErrorCode, FieldError } from "./generated.ts";
import { sleep } from "./runtime.ts";
import { type Answer, type Fetch, type HttpRequest, send } from "./transport.ts";

export interface Limits {
  /** Longest wait for one answer, in milliseconds. */
  timeout: number;
  /** Longest time of the whole call with its repetitions, in milliseconds. */
  deadline: number;
  /** Most repetitions of one call. */
  retries: number;
  /** Wait before the first repetition, in milliseconds; it doubles for each further one. */
  retryDelay: number;
}

/** How calls reach the API. */
export interface Way extends Limits {
  fetch: Fetch;
  language(): string;
}

/** The body of every success. */
export interface Success {
  success: true;
  data: unknown;
}

interface Failure {
  success: false;
  error: {
    code: ErrorCode;
    message: string;
    details?: Record<string, string[]>;
    fields?: Record<string, FieldError[]>;
  };
  request_id?: string;
}

/**
 * Makes a call; one that `mayRepeat` (it is safe, or has an Idempotency-Key) is repeated after no answer, 429 and 5xx,
 * with growing and scattered waits that are never shorter than Retry-After, as long as the deadline allows.
 *
 * @throws UsersApiError the failure of the last attempt. The reason of `signal` if that was aborted.
 */
export async function perform(
  way: Way,
  request: HttpRequest,
  { mayRepeat, signal }: { mayRepeat: boolean; signal?: AbortSignal | undefined },
): Promise<Success> {
  const end = performance.now() + way.deadline;
  for (let attempt = 0; ; attempt++) {
    const left = end - performance.now();
    const outcome = await attemptOnce(way, request, Math.min(way.timeout, left), signal);
    if (!(outcome instanceof UsersApiError)) return outcome;
    const scattered = way.retryDelay * 2 ** Math.min(attempt, 6) * (0.5 + Math.random());
    const wait = (outcome.retryAfter ?? 0) * 1000 + scattered;
    if (!mayRepeat || !isPassing(outcome) || attempt >= way.retries || performance.now() + wait > end) throw outcome;
    await unlessAborted(sleep(wait), signal);
  }
}

/** Whether another attempt may succeed. A status below 400 means no answer (0) or one that is not the API's. */
export const isPassing = ({ status }: UsersApiError) =>
  status < 400 || status === 408 || status === 429 || status >= 500;

async function attemptOnce(way: Way, request: HttpRequest, timeout: number, signal: AbortSignal | undefined) {
  // An aborted signal calls no listener any more.
  if (signal?.aborted) throw signal.reason ?? new Error("aborted");
  const abort = new AbortController();
  const cancel = () => abort.abort();
  const timer = setTimeout(cancel, timeout);
  signal?.addEventListener("abort", cancel);
  try {
    // A runtime may ignore the signal; the call ends all the same.
    return read(await unlessAborted(send(way.fetch, request, abort.signal), abort.signal), way.language());
  } catch (cause) {
    if (signal?.aborted) throw signal.reason ?? cause;
    return clientError("no_answer", way.language(), { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

/** Waits for the work, or rejects as soon as the signal aborts. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason ?? new Error("aborted"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Parses the API's answer. One of another shape comes from something in between: a portal, a proxy, an edge. */
function read({ status, header, text }: Answer, language: string): Success | UsersApiError {
  let body: Success | Failure | undefined;
  try {
    body = JSON.parse(text);
  } catch {
    // Handled below, like every other answer that is not the API's.
  }
  if (body?.success === true && status >= 200 && status < 300) return body;
  const about = { status, retryAfter: Number(header("Retry-After")) || undefined };
  if (body?.success !== false || !body.error?.code) return clientError("unexpected_answer", language, about);
  return new UsersApiError({ ...body.error, ...about, requestId: body.request_id });
}
