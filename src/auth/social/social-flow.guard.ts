import { endpointFor, type Guard } from "../../platform/http/endpoint.ts";
import { readFlowCookies } from "./flow-cookies.ts";
import { openFlow } from "./social-flow.service.ts";

/** The secrets of the flows that this browser started, read from its cookies. */
export interface BrowserFlows {
  secrets: string[];
}

/** Declares a route for the browser that started a flow. */
export const flowEndpoint = endpointFor<BrowserFlows>();

/**
 * Reads the browser's flows from its cookies. A browser without a flow is admitted too, because only the one-time code
 * shows which flow is required.
 */
export const flowOwner: Guard<BrowserFlows> = {
  name: "flowOwner",
  security: undefined,
  errors: [],
  async authorize(deps, c) {
    const open = (name: "google" | "apple") => readFlowCookies(c, name).map((cookie) => openFlow(deps, name, cookie));
    const flows = await Promise.all([...open("google"), ...open("apple")]);
    return { secrets: flows.flatMap((flow) => (flow && flow.expiresAt > deps.now() ? [flow.secret] : [])) };
  },
};
