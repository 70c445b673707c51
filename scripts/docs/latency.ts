import { assumedRoundTrips, latencies, type RoundTrips } from "../operations/latency.ts";
import { table } from "./markdown.ts";

/** Waiting time per route with these round trips. */
export const latencyTable = (roundTrips: RoundTrips = assumedRoundTrips): string[] =>
  table(
    ["Route", "Worker at the edge, ms", "Worker beside the primary, ms"],
    latencies(roundTrips).map(({ route, atEdge, besidePrimary }) => [
      route,
      Math.round(atEdge),
      Math.round(besidePrimary),
    ]),
  );
