import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { showProgress } from "../../../scripts/progress/progress.ts";
import { buildBundle } from "../bundle.ts";
import { median } from "../median.ts";
import { type Server, startServer, varOptions } from "../server-process.ts";
import { ADMIN, accessToken, benchVars, letAdminIn, stateOf, withDatabases } from "../state.ts";
import { drawSamples, LIST_PAGE, type StaffCase, staffCases } from "./cases.ts";
import { countRows, type Measured, measureCpu, quiesce } from "./measure.ts";
import { findOffences, growthOf, type Row } from "./requirements.ts";

interface Options {
  /** Numbers of users. */
  users: number[] | undefined;
  turns: number;
  /** Requests of a turn. */
  requests: number;
  only: string;
  /** Whether only rows are counted. */
  rows: boolean;
}

const REFERENCE_REPEATS = 5;

/** Measures the staff routes, and prints a table; the process ends with 1 if one exceeds its limit. */
export async function benchStaff(options: Options): Promise<void> {
  const { turns, requests, users: sizes = [1_000, 100_000, 1_000_000] } = options;

  const onProgress = showProgress("seeding the databases");
  const vars = benchVars();
  const token = await accessToken(vars, ADMIN);
  const states: string[] = [];
  for (const size of sizes) states.push(await stateOf(size));
  const samples = await Promise.all(
    states.map((state) =>
      withDatabases(state, (databases) => {
        letAdminIn(databases);
        return drawSamples(databases);
      }),
    ),
  );

  /** Runs the work with one server per number of users, all with the same bundle. */
  async function withServers<T>(entry: string, work: (servers: Server[]) => Promise<T>): Promise<T> {
    const bundle = mkdtempSync(join(tmpdir(), "users-api-bench-"));
    buildBundle({ entry, outdir: bundle });
    const start = (state: string) =>
      startServer(["--still", "--persist", state, "--bundle", bundle, "--entry", entry, ...varOptions(vars)]);
    const servers = await Promise.all(states.map(start));
    try {
      return await work(servers);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }

  /** The cases for one number of users, in the same order for all. */
  async function casesAt(server: Server, i: number): Promise<StaffCase[]> {
    const sample = samples[i];
    if (!sample) throw new Error("no users to ask for");
    const cases = staffCases(sample, await walk(server, sizes[i] ?? 0));
    return cases.filter(({ name }, nth) => nth === 0 || name.includes(options.only));
  }

  /** A cursor from the middle of a list of a thousand users, or 5,000 users into a longer list. */
  async function walk({ url }: Server, size: number): Promise<string> {
    let cursor: string | undefined;
    for (let seen = 0; seen < Math.min(size / 2, 5000); seen += 100) {
      const query = new URLSearchParams({ page_size: "100", ...(cursor ? { cursor } : {}) });
      const response = await fetch(`${url}/api/users?${query}`, { headers: { Authorization: `Bearer ${token}` } });
      cursor = ((await response.json()) as { data: { pagination: { next_cursor: string } } }).data.pagination
        .next_cursor;
    }
    return cursor ?? "";
  }

  onProgress("counting rows");
  const counted = await withServers("tests/bench/observed-entry.ts", (servers) =>
    Promise.all(
      servers.map(async (server, i) => {
        const found: [StaffCase, Measured][] = [];
        for (const one of await casesAt(server, i)) found.push([one, await countRows(server, token, one)]);
        return found;
      }),
    ),
  );
  const rows: Row[] = (counted[0] ?? []).map(([of], nth) => ({
    of,
    at: counted.flatMap((found) => found[nth]?.[1] ?? []),
  }));

  if (options.rows) {
    for (const { of, at } of rows)
      console.log(`${of.name}\n  ${at.map(({ results, trips }) => `${results}: ${trips}`).join("\n  ")}`);
  } else {
    await withServers("src/index.ts", async (servers) => {
      const cases = await Promise.all(servers.map(casesAt));
      // Turn 0 is a warm-up: code is compiled and database pages are read.
      for (let turn = 0; turn <= turns; turn++) {
        for (const [nth, { at }] of rows.entries()) {
          for (const [i, server] of servers.entries()) {
            const one = cases[i]?.[nth];
            if (!one) throw new Error("no such case");
            // The list page is the reference for searches and is cheap, so it is requested more often.
            const count = requests * (one.name === LIST_PAGE ? REFERENCE_REPEATS : 1);
            const cpu = await measureCpu(server, token, one, 1 + turn * count, turn === 0 ? 5 : count);
            if (turn > 0) at[i]?.cpu.push(cpu);
          }
        }
        for (const server of servers) await quiesce(server);
        onProgress(`turns of ${turns}`, turn);
      }
    });
    const names = sizes.map((size) => size.toLocaleString("en"));
    console.log(
      `| Request | Users found | Rows read: ${names.join(" · ")} | CPU ms: ${names.join(" · ")} | × |\n|---|---|---|---|---|`,
    );
    for (const row of rows) {
      const column = (value: (one: Measured) => string | number) => row.at.map(value).join(" · ");
      const growth = growthOf(row)?.toFixed(2) ?? "";
      console.log(
        `| ${row.of.name} | ${column(({ results }) => results ?? "")} | ${column(({ rows }) => rows)} | ${column(({ cpu }) => median(cpu).toFixed(2))} | ${growth} |`,
      );
    }
    const offences = findOffences(rows);
    for (const offence of offences) console.error(offence);
    process.exitCode = offences.length > 0 ? 1 : 0;
  }
}
