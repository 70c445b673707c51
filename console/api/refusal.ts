/** A failed response, or no response at all, with a message for people. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;
  /** Id under which the server's log has the request; absent if the server was not reached. */
  readonly requestId: string | undefined;
  /** Messages by field. */
  readonly fields: Readonly<Record<string, string[]>>;
  /** When the call may be repeated, in seconds; undefined if the server does not say. */
  readonly retryAfter: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { requestId?: string; fields?: Record<string, string[]>; retryAfter?: number } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = more.requestId;
    this.fields = more.fields ?? {};
    this.retryAfter = more.retryAfter;
  }
}

const OFFLINE = "The server was not reached. Check the connection, then try again.";

/** Converts any error of a call to a refusal; anything but a refusal counts as no connection. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal(0, "offline", OFFLINE);
}

interface Failure {
  error?: { code?: string; message?: string; details?: Record<string, string[]> };
  request_id?: string;
}

/** The body of a successful answer. @throws Refusal for any other answer. */
export async function readAnswer<T>(response: Response): Promise<T> {
  // Cloudflare Access answers a call whose own sign-in has lapsed with a redirect to its page.
  if (response.type === "opaqueredirect") {
    location.reload();
    throw new Refusal(0, "access", "Your access has lapsed. The page loads again.");
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body as T;
  const { error = {}, request_id } = (body ?? {}) as Failure;
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  const when = retryAfter === undefined || response.status !== 429 ? "" : ` Try again ${inWords(retryAfter)}.`;
  const message = error.message ?? `The server answered ${response.status}. Try again.`;
  throw new Refusal(response.status, error.code ?? "unknown", message + when, {
    ...(request_id === undefined ? {} : { requestId: request_id }),
    ...(error.details ? { fields: error.details } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

function inWords(seconds: number): string {
  if (seconds < 90) return `in ${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `in ${minutes} minutes` : `in ${Math.ceil(minutes / 60)} hours`;
}
