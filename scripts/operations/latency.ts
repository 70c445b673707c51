import { callCosts } from "./call-costs.ts";

/** Round-trip times in milliseconds. */
export interface RoundTrips {
  /** From a phone to the nearest location of Cloudflare. */
  edge: number;
  /** From that location to the primary of D1. */
  primary: number;
  /** From that location to KV, if it has cached the key. */
  kv: number;
  /** Within a region, from a Worker beside the primary to it. */
  region: number;
}

/** Round trips that were assumed, because none were measured: a phone on 4G in Kathmandu, primary in `apac`. */
export const assumedRoundTrips: RoundTrips = { edge: 60, primary: 70, kv: 5, region: 3 };

/** Waiting time of one call, without computing, in milliseconds. */
export interface Latency {
  route: string;
  /** The Worker runs where the phone connects. */
  atEdge: number;
  /** The Worker runs beside the primary (smart placement, or a hint). */
  besidePrimary: number;
}

/** Waiting time of each measured route: its round trips to D1 and KV before the response, one after another. */
export function latencies({ edge, primary, kv, region }: RoundTrips): Latency[] {
  return Object.entries(callCosts).map(([route, cost]) => ({
    route,
    atEdge: edge + cost.d1 * primary + cost.kv * kv,
    // The request crosses the distance once; KV has no copy beside the primary until the key was read there.
    besidePrimary: edge + primary + cost.d1 * region + cost.kv * kv,
  }));
}
