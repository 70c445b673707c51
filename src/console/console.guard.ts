import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import type { Deps } from "../platform/deps.ts";
import type { AppEnv } from "../platform/http/app-env.ts";
import { originOf } from "../platform/http/client.ts";
import { endpointFor, type Guard } from "../platform/http/endpoint.ts";
import { AppError } from "../platform/http/errors.ts";
import { rawEndpointFor } from "../platform/http/raw-endpoint.ts";
import { ASSERTION_HEADER, requireAssertion } from "./access-assertion.ts";
import { COOKIE } from "./console-cookie.ts";

/** A browser that may load the page. The brand makes its routes compile only with the guard `consoleVisitor`. */
export interface Visitor {
  readonly isVisitor: true;
}

/** A page of this origin. */
export interface Page {
  /** The refresh token in the browser's cookie; undefined if it has none. */
  refreshToken: string | undefined;
}

/** Declares the page and its files. */
export const visitorEndpoint = rawEndpointFor<Visitor>();
/** Declares a route that only a page of this origin may call. */
export const pageEndpoint = endpointFor<Page>();

function refuseIfOff({ config }: Pick<Deps, "config">): void {
  if (!config.console.isOn) throw new AppError("not_found");
}

/** Shared by both guards: every method of every address below /console is unknown where the console is off. */
const whereConsoleIsOn: Pick<Guard<unknown>, "security" | "refusePath"> = {
  security: undefined,
  async refusePath(c, next) {
    refuseIfOff(c.get("deps"));
    await next();
  },
};

async function admit(deps: Deps, c: Context<AppEnv>): Promise<void> {
  refuseIfOff(deps);
  await requireAssertion(deps, c.req.header(ASSERTION_HEADER));
}

/** Lets anyone load the page or, if Cloudflare Access is configured, only people whom it admits. */
export const consoleVisitor: Guard<Visitor> = {
  ...whereConsoleIsOn,
  name: "consoleVisitor",
  errors: ["not_found", "permission_denied"],
  async authorize(deps, c) {
    await admit(deps, c);
    return { isVisitor: true };
  },
};

/**
 * Requires that the call comes from a page of this origin, which browsers report in `Origin` and `Sec-Fetch-Site`
 * (Fetch Metadata). This protects the routes that read or set the cookie from CSRF, login CSRF included (ASVS 3.5.1).
 */
export const consolePage: Guard<Page> = {
  ...whereConsoleIsOn,
  name: "consolePage",
  errors: ["not_found", "permission_denied"],
  async authorize(deps, c) {
    await admit(deps, c);
    const isOwn = c.req.header("Origin") === originOf(c.req.url);
    if (!isOwn || c.req.header("Sec-Fetch-Site") !== "same-origin") {
      throw new AppError("permission_denied", { reason: "not a page of this origin" });
    }
    return { refreshToken: getCookie(c, COOKIE, "host") };
  },
};
