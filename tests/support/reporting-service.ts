import { PlatformEvents } from "../../src/index.ts";
import type { FetchHandler } from "./simulator/simulation.ts";

/** Another service that forwards events by RPC, with the bindings of the simulation. */
export const reportByRpc: FetchHandler = async (request, env, context) => {
  const bound = Object.assign(context, { props: { caller: "rentals" } });
  return Response.json(await new PlatformEvents(bound as ExecutionContext<object>, env).record(await request.json()));
};
