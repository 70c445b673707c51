import { number, readArguments, url } from "./arguments.ts";
import { latencyTable, peerLatencyTable } from "./docs/latency.ts";
import { assumedRoundTrips, type RoundTrips } from "./operations/latency.ts";

const { edge, primary, kv, region } = assumedRoundTrips;
const { options, refuse } = readArguments({
  name: "latency",
  about:
    "Prints how long a phone waits for each route, from the measured round trips of the route and assumed or given round-trip times.",
  options: {
    edge: number("MS", "round trip from the phone to Cloudflare", { default: edge }),
    primary: number("MS", "round trip from there to the primary of D1", { default: primary }),
    kv: number("MS", "round trip from there to KV, if the key is cached", { default: kv }),
    region: number("MS", "round trip within the region of the primary", { default: region }),
    url: url("for which this machine measures --edge: the median of 9 requests, on one connection"),
  },
});

/** Round trip to the URL's host in milliseconds, for a URL that needs no database, such as `/.well-known/jwks.json`. */
async function measure(url: string): Promise<number> {
  const times: number[] = [];
  for (let nth = 0; nth < 10; nth++) {
    const startedAt = performance.now();
    await (await fetch(url)).arrayBuffer();
    // The first request also opens the connection.
    if (nth > 0) times.push(performance.now() - startedAt);
  }
  return times.sort((a, b) => a - b)[4] ?? 0;
}

const roundTrips: RoundTrips = {
  edge: options.edge,
  primary: options.primary,
  kv: options.kv,
  region: options.region,
};
try {
  if (options.url !== undefined) roundTrips.edge = await measure(options.url);
} catch {
  refuse(`${options.url} does not respond.`);
}
const named = Object.entries(roundTrips).map(([name, ms]) => `${name} ${Math.round(ms)} ms`);
console.log(`Round trips: ${named.join(", ")}. Computing takes a few milliseconds more.\n`);
console.log(latencyTable(roundTrips).join("\n"));
console.log("\nBeside Better Auth with codes by e-mail, the Worker at the edge:\n");
console.log(peerLatencyTable(roundTrips).join("\n"));
