import { assumedRoundTrips, latencies, latenciesBesidePeer, type RoundTrips } from "../operations/latency.ts";
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

/** What a person waits for, beside Better Auth. */
export const peerLatencyTable = (roundTrips: RoundTrips = assumedRoundTrips): string[] =>
  table(
    ["What", "Calls", "D1 round trips", "ms", "Better Auth: calls", "D1 round trips", "ms"],
    latenciesBesidePeer(roundTrips).map(({ deed, ours, peer }) => [
      deed,
      ...[ours, peer].flatMap(({ calls, trips, ms }) => [calls, trips, Math.round(ms)]),
    ]),
  );
