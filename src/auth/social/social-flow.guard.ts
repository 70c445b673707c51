import { getCookie } from "hono/cookie";
import { endpointFor, type Guard } from "../../platform/http/endpoint.ts";
import { AppError } from "../../platform/http/errors.ts";
import { readFlow } from "./social-flow.service.ts";

/** The flow's cookie of each provider: no script reads it, no other host and no plain http gets it. */
export const FLOW_COOKIES = { google: "google-flow", apple: "apple-flow" } as const;

/** What the browser's cookies hold of the flows that it began. */
export interface BrowserFlows {
  secrets: string[];
}

/** Declares a route for the browser that began a flow. */
export const flowEndpoint = endpointFor<BrowserFlows>();

/** The browser's own flows, by their cookies; none is no error here, since only the code says which one it needs. */
export const flowOwner: Guard<BrowserFlows> = {
  security: undefined,
  errors: [],
  async authorize(deps, c) {
    // A link preview that asks for the head alone must not use the code up.
    if (c.req.method === "HEAD") throw new AppError("method_not_allowed", { headers: { Allow: "GET, POST" } });
    const flows = await Promise.all([
      readFlow(deps, "google", getCookie(c, FLOW_COOKIES.google, "host")),
      readFlow(deps, "apple", getCookie(c, FLOW_COOKIES.apple, "host")),
    ]);
    return { secrets: flows.flatMap((flow) => (flow ? [flow.secret] : [])) };
  },
};
