import { parseArgs } from "node:util";
import { latencyTable } from "./docs/latency.ts";
import { assumedRoundTrips, type RoundTrips } from "./operations/latency.ts";

// `npm run latency`: prints how long a phone waits for each route, from the measured round trips of the route and
// assumed or given round-trip times.

const { edge, primary, kv, region } = assumedRoundTrips;
const USAGE = `npm run latency -- [--edge MS] [--primary MS] [--kv MS] [--region MS] [--url URL]

--edge      round trip from the phone to Cloudflare (default: ${edge})
--primary   round trip from there to the primary of D1 (default: ${primary})
--kv        round trip from there to KV, if the key is cached (default: ${kv})
--region    round trip within the region of the primary (default: ${region})
--url       measure --edge from this machine: the median of 9 requests for URL, on one connection`;

const options = {
  edge: { type: "string" },
  primary: { type: "string" },
  kv: { type: "string" },
  region: { type: "string" },
  url: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

function refuse(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function parseOrRefuse() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

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

const values = parseOrRefuse();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const given = Object.entries(assumedRoundTrips).map(([name, assumed]) => {
  const text = values[name as keyof RoundTrips];
  const ms = text === undefined ? assumed : Number(text);
  if (!(ms >= 0)) refuse(`--${name} must be a time in milliseconds.`);
  return [name, ms];
});
const roundTrips = Object.fromEntries(given) as RoundTrips;
try {
  if (values.url !== undefined) roundTrips.edge = await measure(values.url);
} catch {
  refuse(`${values.url} does not respond.`);
}
const named = Object.entries(roundTrips).map(([name, ms]) => `${name} ${Math.round(ms)} ms`);
console.log(`Round trips: ${named.join(", ")}. Computing takes a few milliseconds more.\n`);
console.log(latencyTable(roundTrips).join("\n"));
