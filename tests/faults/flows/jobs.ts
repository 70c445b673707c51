import { firstIdAt } from "../../../src/platform/uuid.ts";
import { jobs } from "../../../src/tasks/engine/job-registry.ts";
import { newIp, newPhone, type SignedIn, testEnv } from "../../support/client.ts";
import { newId } from "../../support/ids.ts";
import { findMiscounts, findOrphans } from "../../support/invariants.ts";
import { requestAndKeep } from "../../support/queue.ts";
import { type Flow, flow, type Run, traceless } from "../flow-table.ts";
import { must, newUser, sql, tokenFor } from "../people.ts";
import { advance } from "../settle.ts";
import { submitted } from "./kyc.ts";
import { expectFound } from "./tasks.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let period = -1_000_000;

/** A job triggered by its message, with work for one user. */
const job = (
  name: string,
  prepare: () => Promise<{ run: Omit<Run, "messages">; cursor?: string }>,
  more: Partial<Flow> = {},
) =>
  flow(
    `job ${name}`,
    async () => {
      if (!jobs.some((each) => each.name === name)) throw new Error(`there is no job ${name}`);
      const { run, cursor = null } = await prepare();
      period -= 1;
      await sql("insert into job_runs values (?, ?, ?, 0, 0, 0, null, null)", name, period, cursor);
      const body = {
        event_id: newId(),
        type: "job.due",
        user_id: null,
        payload: JSON.stringify({ name, period_started_at: period }),
        created_at: Date.now(),
      };
      const own = period;
      return {
        ...run,
        messages: [{ queue: "tasks", body }],
        async afterwards() {
          const open = await sql(
            "select 1 from job_runs where name = ? and period_started_at = ? and finished_at is null",
            name,
            own,
          );
          if (open.length > 0) throw new Error("the run was not finished");
          await run.afterwards?.();
        },
      };
    },
    { isAlone: true, ...more },
  );

const scopeOf = (user: SignedIn) => ({ userIds: [user.userId], identifiers: [user.identifier] });

const ofUser = (name: string, ready: (user: SignedIn) => Promise<unknown>) =>
  job(name, async () => {
    const user = await newUser();
    await ready(user);
    return { run: { scope: scopeOf(user) } };
  });

const joined = (daysAgo: number) => async (user: SignedIn) => {
  const at = Date.now() - daysAgo * DAY_MS;
  await sql("update users set date_joined = ?, last_login = ? where id = ?", at, at, user.userId);
  await sql("delete from sessions where user_id = ?", user.userId);
};

const purge = ofUser("purge_expired_rows", async (user) => {
  await tokenFor(user.identifier);
  await sql(
    "update otp_challenges set cid = printf('%012x', ?) || substr(cid, 13) where identifier = ?",
    Date.now() - 2 * DAY_MS,
    user.identifier,
  );
});

const oldAudits = ofUser("cleanup_expired_audit_logs", (user) => {
  const at = Date.now() - 366 * DAY_MS;
  // The job finds rows by the time in their ids.
  return sql(
    "update audit_logs set created_at = ?, id = substr(?, 1, 13) || substr(id, 14) where user_id = ?",
    at,
    firstIdAt(at),
    user.userId,
  );
});

const flows = job("cleanup_unlinked_social_accounts", async () => {
  const hash = crypto.randomUUID();
  await sql("insert into social_states (state_hash, expires_at) values (?, ?)", hash, Date.now() - 2 * HOUR_MS);
  return {
    run: {
      scope: {},
      async afterwards() {
        const left = await sql("select 1 from social_states where state_hash = ?", hash);
        if (left.length > 0) throw new Error("an abandoned flow is still there");
      },
    },
  };
});

/** An unreferenced file, a replaced file, and an object without a row. */
const sweep = job("sweep_kyc_uploads", async () => {
  const user = await submitted();
  const id = crypto.randomUUID();
  const key = `kyc/${user.userId}/${id}`;
  const old = Date.now() - 2 * HOUR_MS;
  await testEnv.KYC_BUCKET.put(key, "pending");
  await testEnv.KYC_BUCKET.put(`${key}-stray`, "stray");
  await sql(
    `insert into kyc_documents (id, user_id, side, object_key, content_type, size_bytes, state, created_at)
      values (?, ?, 'back', ?, 'image/png', 7, 'pending', ?)`,
    id,
    user.userId,
    key,
    old,
  );
  // R2 uses the real clock; two hours later on the test's clock, the stray object is old as well.
  advance(2 * HOUR_MS);
  return {
    run: {
      scope: { ...scopeOf(user), hasFiles: true },
      async afterwards() {
        const orphans = await findOrphans([user.userId]);
        if (orphans.length > 0) throw new Error(orphans.join("; "));
      },
    },
  };
});

/** A user whose search entry is missing, as after a lost message. */
const searchJob = (name: string) =>
  job(name, async () => {
    const user = await newUser();
    const last = "select id from users where id < ? order by id desc limit 1";
    const [before] = await sql<{ id: string }>(last, user.userId);
    await sql("update users set updated_at = ? where id = ?", Date.now() - HOUR_MS, user.userId);
    await testEnv.SEARCH_DB.prepare("delete from search_entries where user_id = ?").bind(user.userId).run();
    // Starts at this user; the entries of all others are checked by the last test.
    const cursor = before?.id ?? "";
    return { run: { scope: scopeOf(user), afterwards: () => expectFound(user) }, cursor };
  });

/** A user whose deletion was undone by a restore of the primary. */
const restored = job("reapply_account_deletions", async () => {
  const user = await newUser();
  await testEnv.SEARCH_DB.prepare("insert into deleted_accounts (user_id, deleted_at) values (?, ?)")
    .bind(user.userId, Date.now())
    .run();
  advance(1_000);
  return {
    run: {
      scope: scopeOf(user),
      async afterwards() {
        const left = await sql("select 1 from users where id = ?", user.userId);
        if (left.length > 0) throw new Error("the user is still there");
      },
    },
  };
});

/** Counters that were changed by hand. */
const miscounted = job("check_user_counts", async () => {
  const user = await newUser();
  await sql(
    "update user_counts set by_status_bucket = json_set(by_status_bucket, '$[47]', (by_status_bucket ->> 47) + 5)",
  );
  return {
    run: {
      scope: scopeOf(user),
      async afterwards() {
        const wrong = await findMiscounts();
        if (wrong.length > 0) throw new Error(wrong.join("; "));
      },
    },
  };
});

const rejected = job("remind_unverified_people", async () => {
  const user = await submitted();
  await sql(
    "update kyc set status = 'REJECTED', updated_at = ? where user_id = ?",
    Date.now() - 25 * HOUR_MS,
    user.userId,
  );
  return { run: { scope: scopeOf(user) } };
});

/** A minute tick with an event that a queue refused, a code whose message the queue lost, and an expired code. */
const tick = flow(
  "the minute tick",
  async () => {
    const down = { sendBatch: () => Promise.reject(new Error("Queue is overloaded")) } as unknown as Queue;
    const identifier = newPhone();
    const json = { identifier, verification_token: await tokenFor(identifier) };
    await must("POST", "/api/auth/register", { ip: newIp(), json, env: { TASK_QUEUE: down } });
    const [waiting, expired] = [newPhone(), newPhone()];
    for (const each of [waiting, expired]) await requestAndKeep(each);
    const hourAgo = Date.now() - HOUR_MS;
    await sql("update otp_challenges set created_at = ?1, expires_at = ?1 where identifier = ?2", hourAgo, expired);
    advance(31_000);
    return { scope: { identifiers: [identifier, waiting] }, work: (simulation, place) => simulation.tick(1, place) };
  },
  { isAlone: true },
);

/** Two concurrent ticks. */
const ticks = flow(
  "two concurrent ticks",
  async () => {
    const user = await newUser({
      TASK_QUEUE: { sendBatch: () => Promise.reject(new Error("Queue is overloaded")) } as unknown as Queue,
    });
    advance(31_000);
    return { scope: scopeOf(user), work: (simulation, place) => simulation.tick(2, place) };
  },
  { isAlone: true },
);

/** A run whose chunks all fail: it waits in `job_runs`, and its message is acknowledged. */
const failing = flow(
  "a job that fails",
  async () => {
    period -= 1;
    const [name, own] = ["sweep_kyc_uploads", period];
    await sql("insert into job_runs values (?, ?, 'no such step', 0, 0, 0, null, null)", name, own);
    const payload = JSON.stringify({ name, period_started_at: own });
    const message = { event_id: newId(), type: "job.due", user_id: null, payload, created_at: Date.now() };
    return {
      scope: {},
      messages: [{ queue: "tasks", body: message }],
      async afterwards() {
        const runs = await sql(
          "select 1 from job_runs where name = ? and period_started_at = ? and chunks = 0",
          name,
          own,
        );
        await sql("delete from job_runs where name = ? and period_started_at = ?", name, own);
        await sql("delete from job_failures where name = ?", name);
        if (runs.length !== 1) throw new Error("the run did something, or is gone");
      },
    };
  },
  { isAlone: true },
);

/** A job requested without a period, as when a dead letter is replayed. */
const replayed = flow(
  "a job requested out of turn",
  async () => {
    const name = "cleanup_unlinked_social_accounts";
    const hash = crypto.randomUUID();
    await sql("insert into social_states (state_hash, expires_at) values (?, ?)", hash, Date.now() - 2 * HOUR_MS);
    const payload = JSON.stringify({ name });
    const message = { event_id: newId(), type: "job.due", user_id: null, payload, created_at: Date.now() };
    return {
      scope: {},
      messages: [{ queue: "tasks", body: message }],
      async afterwards() {
        const left = await sql("select 1 from social_states where state_hash = ?", hash);
        if (left.length > 0) throw new Error("the job did nothing");
      },
    };
  },
  { isAlone: true },
);

/** An event that no queue accepts. */
const oversized = flow(
  "an event that is too large for its queue",
  async () => {
    const id = newId();
    await sql(
      `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
        values (?1, 'auth.new_device', null, ?2, 'tasks', ?3, 0, 0)`,
      id,
      `"${"a".repeat(70_000)}"`,
      Date.now(),
    );
    return {
      scope: {},
      work: (simulation, place) => simulation.tick(1, place),
      async afterwards() {
        const letters = await sql("select payload from dead_letters where event_id = ?", id);
        const open = await sql("select 1 from outbox where id = ?", id);
        if (letters.length !== 1 || open.length > 0)
          throw new Error(`${letters.length} dead letters, ${open.length} open`);
      },
    };
  },
  { isAlone: true },
);

export const jobFlows = [
  traceless(failing),
  traceless(replayed),
  traceless(oversized),
  tick,
  ticks,
  searchJob("check_user_search"),
  searchJob("rebuild_user_search"),
  restored,
  traceless(miscounted),
  purge,
  oldAudits,
  ofUser("deactivate_inactive_users", joined(181)),
  ofUser("remind_incomplete_profiles", joined(1)),
  ofUser("remind_unverified_people", joined(3)),
  { ...rejected, name: "job remind_unverified_people after a rejection" },
  traceless(flows),
  sweep,
];
