import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { sql } from "../faults/people.ts";
import { newSimulation } from "../faults/settle.ts";
import { newId } from "../support/ids.ts";
import type { Measured } from "./measure.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The other users, whose number grows. */
const CROWD = "user_id in (select id from users where username_key glob 'crowd-*')";

/** Makes the work of a job due for every other user; jobs that are not listed process everybody anyway. */
const due: Readonly<Record<string, (now: number) => string[]>> = {
  purge_expired_rows: (now) => [
    `update idempotency_keys set expires_at = ${now - 1}`,
    `update otp_challenges set cid = printf('%012x', ${now - 2 * DAY_MS}) || substr(cid, 13)`,
    `update notifications set id = '0' || id where ${CROWD}`,
  ],
  purge_expired_sessions: (now) => [
    `update sessions set revoked_at = ${now - 31 * DAY_MS} where revoked_at is not null and ${CROWD}`,
    `update processed_events set processed_at = ${now - 15 * DAY_MS}`,
  ],
  cleanup_expired_audit_logs: () => [`update audit_logs set id = '0' || id where ${CROWD}`],
  remind_incomplete_profiles: (now) => [
    `update users set date_joined = ${now - 36 * HOUR_MS}, status = 'ACTIVE' where username_key glob 'crowd-*'`,
    `update profiles set profile_reminders = 0, full_name = null where ${CROWD}`,
  ],
  remind_unverified_people: (now) => [
    `update users set date_joined = ${now - 80 * HOUR_MS}, status = 'ACTIVE' where username_key glob 'crowd-*'`,
    `update profiles set kyc_reminders = 0 where ${CROWD}`,
    `update kyc set status = 'REJECTED', updated_at = ${now - 2 * DAY_MS}, reminded_version = 0 where ${CROWD}`,
  ],
  deactivate_inactive_users: (now) => [
    `update users set last_login = ${now - 200 * DAY_MS}, status = 'ACTIVE' where username_key glob 'crowd-*'`,
  ],
  cleanup_unlinked_social_accounts: (now) => [
    `update social_states set expires_at = ${now - 2 * HOUR_MS}`,
    `update social_proofs set expires_at = ${now - 2 * HOUR_MS}`,
  ],
  sweep_kyc_uploads: (now) => [
    `update kyc_documents set state = 'pending', created_at = ${now - 2 * HOUR_MS} where ${CROWD}`,
  ],
};

/** D1's limit of statements per invocation. */
const MAX_STATEMENTS = 1_000;

let period = -50_000_000;

/** Runs each job once, as one message, with work due for everybody, and returns the cost of its most expensive step. */
export async function measureJobs(): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const name of [...Object.keys(due), ...jobs.map((job) => job.name).filter((each) => !(each in due))]) {
    if (!jobs.some((job) => job.name === name)) throw new Error(`there is no job ${name}`);
    for (const statement of due[name]?.(Date.now()) ?? []) await sql(statement);
    period -= 1;
    await sql(
      "insert into job_runs (name, period_started_at, chunks, processed, leased_until) values (?, ?, 0, 0, 0)",
      name,
      period,
    );
    const payload = JSON.stringify({ name, period_started_at: period });
    const body = { event_id: newId(), type: "job.due", user_id: null, payload, created_at: Date.now() };
    measured.push(
      await mostExpensiveStep(`job ${name}`, (simulation) =>
        simulation.hand("tasks", [{ id: "1", body, attempts: 1 }]),
      ),
    );
    await sql("update job_runs set finished_at = ? where name = ? and period_started_at = ?", Date.now(), name, period);
  }
  await sql(
    `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
      select lower(hex(randomblob(16))), 'user.updated', id, json_object('user_id', id), 'tasks', ${Date.now()}, 0, 0
      from users where username_key glob 'crowd-*'`,
  );
  measured.push(await mostExpensiveStep("minute tick", (simulation) => simulation.tick()));
  await sql("delete from outbox");
  return measured;
}

async function mostExpensiveStep(
  outcome: string,
  work: (simulation: ReturnType<typeof newSimulation>) => Promise<unknown>,
): Promise<Measured> {
  const simulation = newSimulation();
  await work(simulation);
  const steps = simulation.log.filter(({ binding }) => binding === "D1" || binding === "SEARCH_DB");
  const statements = steps.reduce((total, { detail }) => total + detail.length, 0);
  if (statements > MAX_STATEMENTS) throw new Error(`${outcome}: ${statements} statements in one invocation`);
  const most = (pick: (step: (typeof steps)[number]) => number) => Math.max(0, ...steps.map(pick));
  const none = { d1BeforeAnswer: 0, search: 0, kv: 0, r2: 0, queue: 0 };
  const cost = {
    ...none,
    d1: 1,
    rowsRead: most(({ rowsRead }) => rowsRead),
    rowsWritten: most((step) => step.rowsWritten),
  };
  return { name: `${outcome}, its most expensive step with work due for everybody`, outcome, cost };
}
