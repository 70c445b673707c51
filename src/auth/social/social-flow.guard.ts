import { getCookie } from "hono/cookie";
import { endpointFor, type Guard } from "../../platform/http/endpoint.ts";
import { AppError } from "../../platform/http/errors.ts";
import { readFlow } from "./social-flow.service.ts";

/** Names of each provider's flow cookie, which is HttpOnly, Secure and `__Host-` prefixed. */
export const FLOW_COOKIES = { google: "google-flow", apple: "apple-flow" } as const;

/** The secrets of the flows that this browser started, read from its cookies. */
export interface BrowserFlows {
  secrets: string[];
}

/** Declares a route for the browser that started a flow. */
export const flowEndpoint = endpointFor<BrowserFlows>();

/** Reads the browser's flows from its cookies. It allows none, because only the one-time code tells which is needed. */
export const flowOwner: Guard<BrowserFlows> = {
  name: "flowOwner",
  security: undefined,
  errors: [],
  async authorize(deps, c) {
    // A link preview's HEAD request must not redeem the code.
    if (c.req.method === "HEAD") throw new AppError("method_not_allowed", { headers: { Allow: "GET, POST" } });
    const flows = await Promise.all([
      readFlow(deps, "google", getCookie(c, FLOW_COOKIES.google, "host")),
      readFlow(deps, "apple", getCookie(c, FLOW_COOKIES.apple, "host")),
    ]);
    return { secrets: flows.flatMap((flow) => (flow ? [flow.secret] : [])) };
  },
};
