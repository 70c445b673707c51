import type { Deps } from "../deps.ts";
import type { Log, LogFields } from "../log.ts";

/** Environment of this app's Hono contexts. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    log: Log;
    deps: Deps;
    /** Result of the guard. */
    caller?: unknown;
    /** Fields about the caller from the guard, for the request's log line. */
    callerFields?: LogFields;
    /** Set if the request failed, for its log line. */
    outcome?: { code: string; reason: string | undefined; fields: string | undefined };
    /** Set for a page that a sign-in popup shows: it is sent without Cross-Origin-Opener-Policy. */
    keepsOpener?: boolean;
  };
}
