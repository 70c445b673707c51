import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildBundle } from "./bundle.ts";
import { copyOf } from "./copies.ts";
import { cpuWhenIdle } from "./idle.ts";
import { newPeople } from "./journey/people.ts";
import { forEach } from "./journey/service.ts";
import { type Server, startServer, varOptions } from "./server-process.ts";
import { benchVars, stateOf, withDatabases } from "./state.ts";

/** Requests to each server. */
const REQUESTS = 400;
/** Longer than any deadline of the server; a call that takes longer counts as one that hangs. */
const HANGING_MS = 60_000;

/**
 * Starts a server `starts` times on fresh databases, sends it several hundred otp/requests, and checks that it answers
 * all of them and a later call. Prints what the server waits for if it does not, and then ends it.
 *
 * @returns whether every server kept answering.
 */
export async function searchForHang(home: string, starts: number): Promise<boolean> {
  const seeded = await stateOf(1);
  const people = await withDatabases(seeded, (databases) => [
    ...newPeople(databases, "sms", REQUESTS / 2),
    ...newPeople(databases, "email", REQUESTS / 2),
  ]);
  const bundle = buildBundle({ outdir: join(home, "bundle") });
  const slowest: number[] = [];
  for (let start = 1; start <= starts; start++) {
    const persist = copyOf(seeded, join(home, `start-${start}`));
    const options = ["--no-cron", "--persist", persist, "--bundle", join(bundle, "..")];
    const server = await startServer([...options, ...varOptions(benchVars())]);
    const outcome = await flood(server, people);
    if (outcome.problem !== undefined) {
      console.log(`Start ${start} of ${starts}: ${outcome.problem}\n\n${describe(server)}`);
      // A server that hangs may not obey SIGTERM.
      for (const pid of server.pids) process.kill(pid, "SIGKILL");
      return false;
    }
    slowest.push(outcome.slowestMs);
    await server.stop();
    console.error(
      `start ${start} of ${starts}: ${REQUESTS} answers, the slowest after ${Math.round(outcome.slowestMs)} ms`,
    );
  }
  const worst = Math.round(Math.max(...slowest));
  console.log(
    `${starts} fresh starts, ${REQUESTS} otp/requests each: all were answered, the slowest after ${worst} ms.`,
  );
  return true;
}

async function flood(server: Server, people: readonly { identifier: string; ip: string }[]) {
  let slowestMs = 0;
  let answered = 0;
  try {
    await forEach(people, async ({ identifier, ip }) => {
      const startedAt = performance.now();
      const response = await fetch(`${server.url}/api/auth/otp/request`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "CF-Connecting-IP": ip },
        body: JSON.stringify({ identifier }),
        signal: AbortSignal.timeout(HANGING_MS),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${text}`);
      answered += 1;
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    });
    await cpuWhenIdle(server);
    await (await fetch(`${server.url}/api/health`, { signal: AbortSignal.timeout(HANGING_MS) })).text();
    return { slowestMs };
  } catch (error) {
    return { slowestMs, problem: `after ${answered} answers: ${error}` };
  }
}

/** The threads of a server with their state and what they wait for in the kernel, and the end of its log. */
function describe({ pids, log }: Server): string {
  const threads = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      const read = (name: string) => readFileSync(`/proc/${pid}/task/${thread}/${name}`, "utf8");
      const state = /^State:\s+(.*)$/m.exec(read("status"))?.[1];
      return `${pid} ${thread} ${read("comm").trim()}: ${state}, ${read("wchan") || "running"}`;
    }),
  );
  const lines = readFileSync(log, "utf8").trimEnd().split("\n").slice(-20);
  return ["Threads:", ...threads, "", "Last lines of the log:", ...lines].join("\n");
}
