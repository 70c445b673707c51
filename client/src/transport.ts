import { type Progress, runtime } from "./runtime.ts";

/** One HTTP request. */
export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string | FormData | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A complete response. */
export interface Answer {
  status: number;
  header(name: string): string | null;
  text: string;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Sends once. `fetch` follows no redirect: the API sends none to a program, and a captive portal must not get the
 * tokens. XMLHttpRequest, on which React Native's `fetch` is built too, always follows them.
 *
 * @throws whatever the runtime throws when there is no answer, or only a part of one.
 */
export async function send(fetch: Fetch, request: HttpRequest, signal: AbortSignal): Promise<Answer> {
  if (request.onProgress && runtime.XMLHttpRequest) return sendWithProgress(request, request.onProgress, signal);
  const { method, url, headers, body } = request;
  const init = { method, headers, signal, redirect: "manual" as const, credentials: "omit" as const };
  const response = await fetch(url, body === undefined ? init : { ...init, body });
  return { status: response.status, header: (name) => response.headers.get(name), text: await response.text() };
}

/** Sends by XMLHttpRequest, because `fetch` cannot report how much of a body it has sent. */
function sendWithProgress(
  { method, url, headers, body }: HttpRequest,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const Xhr = runtime.XMLHttpRequest;
    if (!Xhr) return reject(new Error("no XMLHttpRequest"));
    const xhr = new Xhr();
    const abort = () => xhr.abort();
    const end = (work: () => void) => () => {
      signal.removeEventListener("abort", abort);
      work();
    };
    xhr.upload.onprogress = ({ loaded, total }) => onProgress({ loaded, total });
    xhr.onload = end(() =>
      resolve({ status: xhr.status, header: (name) => xhr.getResponseHeader(name), text: xhr.responseText }),
    );
    xhr.onerror = end(() => reject(new Error("no answer")));
    xhr.onabort = end(() => reject(new Error("aborted")));
    signal.addEventListener("abort", abort);
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.send(body);
  });
}
