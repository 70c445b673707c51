import type { SignedOutReason } from "./session.ts";
import type { TokenStorage } from "./storage.ts";
import type { Fetch } from "./transport.ts";

/** Options of a client. */
export interface Options {
  /** Scheme and host of the API: `https://api.example.com`. */
  baseUrl: string;
  /** Where the tokens are kept; default: in memory, so that the person is signed out at the next start. */
  storage?: TokenStorage | undefined;
  /** Name of the tokens in the storage and of the lock among tabs, one per signed-in person. Default: `powerbank`. */
  name?: string | undefined;
  /** Language of messages: `en` or `ne`. */
  language?: string | undefined;
  /** Called once when the person is no longer signed in. */
  onSignedOut?: ((reason: SignedOutReason) => void) | undefined;
  /** Longest wait for one answer, in milliseconds: 15,000. Eight times as long for documents. */
  timeout?: number | undefined;
  /** Longest time of a call with its repetitions, in milliseconds: 30,000. Eight times as long for documents. */
  deadline?: number | undefined;
  /** Most repetitions of a call: 4. */
  retries?: number | undefined;
  /** Wait before the first repetition, in milliseconds: 400. */
  retryDelay?: number | undefined;
  /** Replaces the runtime's `fetch`. */
  fetch?: Fetch | undefined;
}
