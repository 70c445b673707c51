/** Globals that some runtimes lack: React Native and older Node have no locks; Node and Workers have no page. */
interface Runtime {
  XMLHttpRequest?: new () => Xhr;
  navigator?: { locks?: Locks };
  document?: unknown;
  BroadcastChannel?: new (
    name: string,
  ) => { onmessage: ((event: { data: unknown }) => void) | null; postMessage(message: unknown): void };
  crypto?: { randomUUID?(): string };
}

interface Xhr {
  upload: { onprogress: ((event: Progress) => void) | null };
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  status: number;
  responseText: string;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: unknown): void;
  abort(): void;
}

interface Locks {
  request(name: string, options: object, work: () => Promise<unknown>): Promise<unknown>;
}

/** How much of an upload has left the device, in bytes. A repeated upload starts again. */
export interface Progress {
  loaded: number;
  total: number;
}

export const runtime = globalThis as unknown as Runtime;

/**
 * A new Idempotency-Key. It needs no secrecy, since it belongs to one identifier or session; where there is no
 * `crypto.randomUUID` (React Native, pages over plain http), `Math.random` is unique enough.
 */
export function newKey(): string {
  const digits = () => Math.random().toString(36).slice(2).padEnd(11, "0");
  return runtime.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${digits()}-${digits()}`;
}

export const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
