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

/**
 * Round trips to D1 of Better Auth 1.7.25 with its emailOTP plugin before each response, with default settings:
 * `npm run bench:peer -- --trips`, which counts a few more if work that follows a response overlaps it.
 */
export const peerTrips = {
  "send-verification-otp": 2,
  "sign-in/email-otp, known user": 6,
  "sign-in/email-otp, new user": 7,
  "get-session": 2,
  "sign-out": 5,
} as const;

type PeerCall = keyof typeof peerTrips;

/** What a person does, as calls of this service and of Better Auth. */
const deeds: Readonly<Record<string, { ours: string[]; peer: PeerCall[] }>> = {
  "sign-in by code": {
    ours: ["otp/request", "otp/verify", "login"],
    peer: ["send-verification-otp", "sign-in/email-otp, known user"],
  },
  "sign-up by code": {
    ours: ["otp/request", "otp/verify", "register"],
    peer: ["send-verification-otp", "sign-in/email-otp, new user"],
  },
  "who am I": { ours: ["me"], peer: ["get-session"] },
  logout: { ours: ["logout"], peer: ["sign-out"] },
};

/** Calls, round trips to D1 and waiting time at the edge, for all calls of a deed one after another. */
export interface Waited {
  calls: number;
  trips: number;
  ms: number;
}

/** Total waiting time of each deed with this service and with Better Auth; the Worker runs where the phone connects. */
export function latenciesBesidePeer(roundTrips: RoundTrips): { deed: string; ours: Waited; peer: Waited }[] {
  const { edge, primary } = roundTrips;
  const byRoute = new Map(latencies(roundTrips).map(({ route, atEdge }) => [route, atEdge]));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  return Object.entries(deeds).map(([deed, { ours, peer }]) => {
    const trips = sum(peer.map((call) => peerTrips[call]));
    return {
      deed,
      ours: {
        calls: ours.length,
        trips: sum(ours.map((route) => callCosts[route]?.d1 ?? Number.NaN)),
        ms: sum(ours.map((route) => byRoute.get(route) ?? Number.NaN)),
      },
      peer: { calls: peer.length, trips, ms: peer.length * edge + trips * primary },
    };
  });
}
