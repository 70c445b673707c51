import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { buildSync } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { databaseWith } from "../../tests/bench/load/databases.ts";
import { type Server, startServer } from "../../tests/bench/server-process.ts";
import { type HostileProxy, startHostileProxy } from "./hostile-proxy.ts";
import { live, type Report } from "./life.ts";
import type { Order } from "./worker.ts";

// `npm run client:test`: many people use the client on a network that loses, cuts, doubles and delays what they send.
// `SESSIONS=100 npm run client:test` for fewer of them, `SEED=2` for another network.

const SESSIONS = Number(process.env.SESSIONS ?? 1000);
const IN_A_WORKER = 10;
/**
 * People who live at the same time. Each sends up to four calls at once; with fifty of them, the server's queue alone took
 * as long as a client waits for an answer, and every repetition made it longer.
 */
const AT_ONCE = 12;
/** How long the key of a request for a code lives: until another code may be sent. */
const RESEND_MS = 60_000;

let persist: string;
let server: Server;
let proxy: HostileProxy;
const reports: Report[] = [];

before(async () => {
  persist = mkdtempSync(join(tmpdir(), "users-client-"));
  server = await startServer(["--persist", persist]);
  proxy = await startHostileProxy(server.url, Number(process.env.SEED ?? 1));
});

after(async () => {
  await proxy?.stop();
  await server?.stop();
  rmSync(persist, { recursive: true, force: true });
});

/** The identifier and the network of a person; a network of their own, since limits count per network. */
const person = (i: number) => ({ identifier: `person${i}@example.com`, ip: `10.${i >> 8}.${i & 255}.1` });
const world = () => ({ proxy: proxy.url, server: server.url });

test(`in a Worker, ${IN_A_WORKER} people on a bad network are not signed out`, async () => {
  const entryPoints = [join(import.meta.dirname, "worker.ts")];
  const bundle = buildSync({ entryPoints, bundle: true, format: "esm", target: "es2022", write: false });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "worker.js", contents: bundle.outputFiles[0]?.text ?? "" }],
      modulesRoot: ".",
      compatibilityDate: "2026-08-01",
      cf: false,
      telemetry: { enabled: false },
    }),
  );
  try {
    const people = Array.from({ length: IN_A_WORKER }, (_, i) => person(SESSIONS + i));
    const order: Order = { world: world(), people };
    const answer = await miniflare.dispatchFetch("http://localhost/", { method: "POST", body: JSON.stringify(order) });
    const lives = (await answer.json()) as Report[];
    reports.push(...lives);
    expectGood(lives);
  } finally {
    await miniflare.dispose();
  }
});

test(`in Node, ${SESSIONS} people on a bad network are not signed out`, async () => {
  const lives: Awaited<ReturnType<typeof live>>[] = [];
  let started = 0;
  async function liveOn() {
    while (started < SESSIONS) {
      const i = started++;
      const { identifier, ip } = person(i);
      lives.push(await live({ ...world(), ip }, identifier, i % 4 === 0));
      if (lives.length % 100 === 0) console.log(`# ${lives.length} people`);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, liveOn));
  reports.push(...lives);
  const tries = lives.reduce((sum, each) => sum + each.tries, 0);
  console.log(`# fates: ${JSON.stringify(proxy.met)}; ${proxy.expired.size} access tokens expired; ${tries} tries`);
  proxy.calm();
  for (const { client, userId } of lives) assert.equal((await client.me()).id, userId);
  expectGood(lives);
  assert.ok(proxy.expired.size >= 2 * SESSIONS, "tokens expired");
});

/** Nobody was signed out, and every call had its result. */
function expectGood(lives: Report[]): void {
  const complaints = lives.flatMap(({ identifier, problems, signedOut }) =>
    [...problems, ...signedOut.map((reason) => `signed out: ${reason}`)].map((each) => `${identifier}: ${each}`),
  );
  assert.deepEqual(complaints, []);
}

test("nothing has happened twice: accounts, sessions, codes, points, documents and rotations", () => {
  const db = new DatabaseSync(databaseWith(persist, "d1", "sessions"), { readOnly: true });
  const rows = (sql: string) => db.prepare(sql).all() as Record<string, unknown>[];
  const only = (sql: string) => Object.values(rows(sql)[0] ?? {})[0];
  const people = SESSIONS + IN_A_WORKER;
  assert.equal(reports.length, people);
  for (const table of ["users", "sessions", "point_transactions"]) {
    assert.equal(only(`select count(*) from ${table}`), people, table);
  }
  const codes = new Map(
    rows("select recipient, count(*) as n from local_outbox where channel = 'email' group by 1").map(
      ({ recipient, n }) => [recipient, Number(n)],
    ),
  );
  for (const { identifier, asked } of reports) {
    assert.ok(asked < RESEND_MS, `${identifier} waited ${asked} ms for a code: the machine is too busy for this test`);
    assert.equal(codes.get(identifier), 1, `codes of ${identifier}`);
  }
  assert.equal(codes.size, people);
  assert.equal(only("select count(*) from sessions where revoked_at is not null"), 0);
  assert.equal(only("select max(total_points) from points"), 50);
  const submitted = reports.filter((each) => each.submitted).length;
  assert.ok(submitted > 0);
  assert.equal(only("select count(*) from kyc"), submitted);
  assert.equal(only("select count(*) from audit_logs where entity_type = 'kyc'"), submitted);
  assert.equal(only("select count(*) from audit_logs where entity_type = 'user' and action = 'CREATE'"), people);
  const counters = new Map(rows("select user_id, counter from sessions").map((row) => [row.user_id, row.counter]));
  for (const { userId, stored } of reports) {
    assert.equal(counters.get(userId), stored - 1, "each rotation is one that the client has stored");
  }
  db.close();
});
