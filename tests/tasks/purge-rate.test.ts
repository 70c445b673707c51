import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { tableOf } from "../../scripts/docs/retention.ts";
import { purgeRules } from "../../src/tasks/retention.ts";
import { newIp, newPhone, readCode } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { numbers } from "../support/people-rows.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { runTasks, tick } from "../support/tasks.ts";

const DAY_MS = 86_400_000;
const SIGN_INS_PER_HOUR = 100 * 3_600;
const TICKS_PER_HOUR = 60;

useClock({ at: Date.UTC(2036, 0, 1) });

const JOBS: readonly string[] = ["purge_expired_rows", "purge_expired_sessions"];
const purged = [...new Set(purgeRules.filter(({ by }) => JOBS.includes(by)).map(tableOf))];

async function countPurgeable(): Promise<number> {
  const counts = purged.map((table) => `(select count(*) from ${table})`).join(" + ");
  return (await rows<{ n: number }>(`select ${counts} as n`))[0]?.n ?? 0;
}

/** Number of rows to purge after one user signs in with an idempotency key on each call, refreshes and signs out. */
async function rowsOfOneSignIn(): Promise<number> {
  const simulation = new Simulation(1, undefined, true);
  const ip = newIp();
  const identifier = newPhone();
  const go = async (path: string, json: object, token?: string) => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const answer = await simulation.call("POST", `/api/auth/${path}`, {
      ip,
      json,
      headers,
      ...(token ? { token } : {}),
    });
    if (answer === "died" || answer.status >= 300) throw new Error(`${path} failed: ${JSON.stringify(answer)}`);
    for (let round = 0; round < 3; round++) {
      await simulation.consume("tasks", simulation.queue.held.splice(0));
      await simulation.consume("search", simulation.searchQueue.held.splice(0));
    }
    return answer.body;
  };
  const prove = async (nth: number) => {
    await go("otp/request", { identifier });
    const { data } = await go("otp/verify", { identifier, otp: await readCode(identifier, nth) });
    return { identifier, verification_token: data.verification_token };
  };
  await go("register", await prove(1));
  vi.setSystemTime(Date.now() + 61_000);
  const before = await countPurgeable();
  const { data } = await go("login", await prove(2));
  const refreshed = await go("refresh", { refresh_token: data.refresh_token });
  await go("logout", { refresh_token: refreshed.refresh }, refreshed.access);
  return (await countPurgeable()) - before;
}

it("purge_expired_sessions deletes more rows per hour than 100 sign-ins per second write", async () => {
  const left = await rowsOfOneSignIn();
  expect(left).toBeGreaterThan(5);
  await env.DB.prepare(
    `insert into processed_events (consumer, event_id, processed_by, processed_at)
      select 'rate', value, '', ?2 from ${numbers("?1")}`,
  )
    .bind(220_000, Date.now() - 15 * DAY_MS)
    .run();
  const name = "purge_expired_sessions";
  await tick({ TASK_QUEUE: { sendBatch: async () => {} } as unknown as Env["TASK_QUEUE"] });
  const [run] = await rows<{ period: number }>(
    "select max(period_started_at) as period from job_runs where name = ?",
    name,
  );
  const payload = JSON.stringify({ name, period_started_at: run?.period });
  const message = { event_id: "rate", type: "job.due", user_id: null, payload, created_at: Date.now() };
  await runTasks([message], { TASK_QUEUE: { sendBatch: async () => {} } as unknown as Env["TASK_QUEUE"] });
  const [rest] = await rows<{ n: number }>("select count(*) as n from processed_events where consumer = 'rate'");
  const perTick = 220_000 - (rest?.n ?? 0);
  expect(perTick * TICKS_PER_HOUR).toBeGreaterThan(left * SIGN_INS_PER_HOUR);
});

it("one tick erases a minute's unsent codes at 100 sign-ins per second", async () => {
  await env.DB.prepare(
    `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, sealed_code,
        created_at, expires_at, attempts_familiar, attempts_other)
      select printf('%012x', ?2) || value, value, 'n', 1, 'other', '', '', 'sealed', ?2, ?2, 0, 0 from ${numbers("?1")}`,
  )
    .bind(6_000, Date.now() - 300_000)
    .run();
  const left = async () =>
    (await rows<{ n: number }>("select count(*) as n from otp_challenges where sealed_code is not null"))[0]?.n;
  expect(await left()).toBe(6_000);
  await tick({});
  expect(await left()).toBe(0);
});
