import type { Deps } from "../deps.ts";
import type { Log } from "../log.ts";

/** What a Hono context of this app carries. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    log: Log;
    deps: Deps;
    /** What the guard found, for the request's log line. */
    caller?: unknown;
    /** Set by a failure, for the request's log line. */
    outcome?: { code: string; reason: string | undefined };
  };
}
