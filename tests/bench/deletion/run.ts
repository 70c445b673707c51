import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { showProgress } from "../../../scripts/progress/progress.ts";
import { findTraces } from "../../../scripts/traces.ts";
import { type Server, startServer, varOptions } from "../server-process.ts";
import { accessToken, benchVars, stateOf, withDatabases } from "../state.ts";
import { enterPeople, type Person, putFiles } from "./world.ts";

interface Options {
  users: number;
  audits: number;
  events: number;
  /** Loops of refused deletions. */
  loops: number;
  seconds: number;
}

/**
 * Maximum slowdown for others, relative to their time alone: the median during refusals, the 99th percentile during a
 * deletion.
 */
const ALLOWED = { refused: 2, deleted: 3 };
/** Longer than any task of a deletion takes. */
const PATIENCE_MS = 15 * 60_000;

/** Sends a request, and repeats it on a new connection if the server has just closed the kept one. */
const send = (url: string, init: RequestInit) => fetch(url, init).catch(() => fetch(url, init));

/** Milliseconds until the response, which must have the status. */
async function timed({ url }: Server, method: string, path: string, token: string, status: number): Promise<number> {
  const startedAt = performance.now();
  const response = await send(url + path, { method, headers: { Authorization: `Bearer ${token}` } });
  await response.arrayBuffer();
  if (response.status !== status) throw new Error(`${method} ${path}: ${response.status}`);
  return performance.now() - startedAt;
}

const forSeconds = (seconds: number) => {
  const until = performance.now() + seconds * 1000;
  return () => performance.now() < until;
};

const percentile = (times: readonly number[], share: number) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;

/** Measures how deletions slow down others, and prints a table; the process ends with 1 if others wait too long. */
export async function measureDeletion(options: Options): Promise<void> {
  const onProgress = showProgress("seeding the databases");
  const seeded = await stateOf(options.users);
  const state = mkdtempSync(join(tmpdir(), "users-api-deletion-"));
  process.once("exit", () => rmSync(state, { recursive: true, force: true }));
  cpSync(seeded, state, { recursive: true });
  const sizes = { audits: options.audits, events: options.events };
  const people = await withDatabases(state, (databases) => enterPeople(databases, sizes));
  await putFiles(state, people.leaver);

  onProgress("measuring");
  const vars = benchVars();
  const tokenOf = (person: Person) => accessToken(vars, person);
  const tokens = {
    reader: await tokenOf(people.reader),
    refused: await tokenOf(people.refused),
    leaver: await tokenOf(people.leaver),
  };

  /** Times of consecutive GET auth/me calls with short pauses while `isOn`. */
  async function readWhile(server: Server, isOn: () => boolean): Promise<number[]> {
    const times: number[] = [];
    while (isOn()) {
      times.push(await timed(server, "GET", "/api/auth/me", tokens.reader, 200));
      await sleep(5);
    }
    return times;
  }

  /** Sends refused deletions one after the other while `isOn`, and counts the responses by status. */
  async function refuseWhile({ url }: Server, isOn: () => boolean, answers: Map<number, number>): Promise<void> {
    while (isOn()) {
      const headers = { Authorization: `Bearer ${tokens.refused}`, "Content-Type": "application/json" };
      const response = await send(`${url}/api/auth/account`, { method: "DELETE", headers, body: "{}" });
      await response.arrayBuffer();
      answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
    }
  }

  const server = await startServer(["--persist", state, ...varOptions(vars)]);
  const phases: Record<string, number[]> = {};
  const seconds = options.seconds;
  const answers = new Map<number, number>();
  let deletionMs = 0;
  let tasksMs = 0;
  try {
    await readWhile(server, forSeconds(3));
    phases.alone = await readWhile(server, forSeconds(seconds));

    const isOn = forSeconds(seconds);
    const loops = Array.from({ length: options.loops }, () => refuseWhile(server, isOn, answers));
    [phases.refused] = await Promise.all([readWhile(server, isOn), ...loops]);

    const startedAt = performance.now();
    const isDeleted = () => {
      const log = join(state, "server.log");
      const text = existsSync(log) ? readFileSync(log, "utf8") : "";
      return /finish_account_deletion[^\n]*, finished/.test(text);
    };
    let isBusy = true;
    const reading = readWhile(server, () => isBusy);
    deletionMs = await timed(server, "DELETE", "/api/auth/account", tokens.leaver, 200);
    while (!isDeleted()) {
      if (performance.now() - startedAt > PATIENCE_MS) throw new Error("the tasks of the deletion do not end");
      await sleep(250);
    }
    tasksMs = performance.now() - startedAt;
    isBusy = false;
    phases.deleted = await reading;
    // The search message waits to be batched with others.
    await sleep(5_000);
  } finally {
    await server.stop();
  }

  const { alone = [], refused = [], deleted = [] } = phases;
  const ms = (value: number) => value.toFixed(1);
  console.log(`| Others' GET auth/me | requests | median ms | p99 ms | longest ms |\n|---|---|---|---|---|`);
  for (const [name, times] of Object.entries({
    alone,
    [`during ${options.loops} loops of refused deletions`]: refused,
    [`during the deletion of ${options.audits} audit rows and ${options.events} events`]: deleted,
  })) {
    const [middle, late, longest] = [0.5, 0.99, 1].map((share) => ms(percentile(times, share)));
    console.log(`| ${name} | ${times.length} | ${middle} | ${late} | ${longest} |`);
  }
  console.log(
    `\n${options.users} users. Refused: ${[...answers].map(([status, n]) => `${n} × ${status}`).join(", ")}.`,
  );
  console.log(`The deletion was answered after ${ms(deletionMs)} ms; its tasks took ${(tasksMs / 1000).toFixed(1)} s.`);

  const offences = [
    ...(await findTraces(people.leaver.words, state)),
    ...(await findTraces([people.leaver.userId, people.leaver.sessionId], state)).filter(({ where }) =>
      ["KV", "R2"].includes(where),
    ),
  ].map(({ where, word }) => `left of the account: ${word} in ${where}`);
  const ratios = {
    refused: percentile(refused, 0.5) / percentile(alone, 0.5),
    deleted: percentile(deleted, 0.99) / percentile(alone, 0.99),
  };
  for (const [phase, ratio] of Object.entries(ratios)) {
    const most = ALLOWED[phase as keyof typeof ALLOWED];
    console.log(`${phase}: ${ratio.toFixed(2)} ×, at most ${most} ×`);
    if (!(ratio <= most)) offences.push(`${phase}: others wait ${ratio.toFixed(2)} × as long as alone`);
  }
  for (const offence of offences) console.error(offence);
  process.exitCode = offences.length > 0 ? 1 : 0;
}
