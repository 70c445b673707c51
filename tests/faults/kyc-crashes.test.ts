import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { call, type SignedIn, testEnv } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows, run } from "../support/database.ts";
import { file, jpeg, png } from "../support/documents.ts";
import { forgetUploads, KYC, keysOf, newNumber, newUser, submit, whole } from "../support/kyc.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { FAULTS } from "./flow.ts";

useClock({ timers: true });
afterEach(() => vi.restoreAllMocks());

const HOUR_MS = 60 * 60 * 1000;

/** Returns the files that the user's KYC references, each of which must be live and in the bucket. */
async function expectNoDanglingLink(user: SignedIn, when: string): Promise<string[]> {
  const [kyc] = await rows<{ front_document_id: string; back_document_id: string | null }>(
    "select front_document_id, back_document_id from kyc where user_id = ?",
    user.userId,
  );
  const named = kyc ? [kyc.front_document_id, kyc.back_document_id].filter((id) => id !== null) : [];
  const live = await rows<{ id: string }>(
    "select id from kyc_documents where user_id = ? and state = 'live'",
    user.userId,
  );
  expect(live.map(({ id }) => id).sort(), when).toEqual([...named].sort());
  const keys = await keysOf(user);
  for (const id of named) expect(keys, when).toContain(`kyc/${user.userId}/${id}`);
  return named.map((id) => `kyc/${user.userId}/${id}`);
}

let period = 0;

/** Makes the sweeper due. */
async function startSweep(): Promise<void> {
  period -= 1;
  await run("insert into job_runs values ('sweep_kyc_uploads', ?, null, 0, 0, 0, null, null)", period);
}

/** Makes the sweeper due again and runs `minutes` minutes of cron with the given faults. */
async function sweep(simulation: Simulation, minutes: number, faults?: (call: BindingCall) => Fault | undefined) {
  await startSweep();
  for (let minute = 0; minute < minutes; minute++) {
    await simulation.tick(2, faults ? { faults } : {});
    await simulation.deliver(2, faults ? { faults } : {});
    vi.setSystemTime(Date.now() + 61_000);
  }
  return async () =>
    (await rows("select 1 from job_runs where period_started_at = ? and finished_at is null", period)).length === 0;
}

/** Like `sweep`, an hour later; expects the run to finish. */
async function sweepLater(simulation = new Simulation(1)): Promise<void> {
  vi.setSystemTime(Date.now() + HOUR_MS + 61_000);
  const isDone = await sweep(simulation, 3);
  expect(await isDone()).toBe(true);
}

/** Checks that only the files referenced by the user's KYC are left. */
async function expectSwept(user: SignedIn): Promise<void> {
  const named = await expectNoDanglingLink(user, "after the sweep");
  expect((await keysOf(user)).sort()).toEqual(named.sort());
  const left = "select state from kyc_documents where user_id = ? and state <> 'live'";
  expect(await rows(left, user.userId)).toEqual([]);
}

/** Gets a new access token after hours have passed. */
async function renew(user: SignedIn): Promise<void> {
  const { body } = await call("POST", "/api/auth/refresh", { json: { refresh_token: user.refresh } });
  [user.access, user.refresh] = [body.access, body.refresh];
}

/** `npm run faults` makes 400 uploads. */
const UPLOADS = "FAULTS_WHOLE" in testEnv ? 400 : 100;

describe("Uploads with faults", () => {
  it("never leave a link to a missing file nor, after the sweep, an unreferenced file", async () => {
    // Suppresses thousands of log lines about injected faults.
    for (const level of ["info", "warn", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
    const users = await Promise.all(Array.from({ length: 8 }, () => newUser()));
    const made = new Map(users.map((user) => [user, 0]));
    const met = new Map<string, number>();
    for (let upload = 0; upload < UPLOADS; upload++) {
      const user = users[upload % users.length] as SignedIn;
      const simulation = new Simulation(upload + 1);
      const { random } = simulation.scheduler;
      const rate = 0.15 + random() * 0.5;
      const faults = ({ binding, operation }: BindingCall) => {
        const fault = random() < rate ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined;
        if (fault) met.set(`${binding} ${operation} ${fault}`, (met.get(`${binding} ${operation} ${fault}`) ?? 0) + 1);
        return fault;
      };
      await forgetUploads(user);
      const isPatch = (made.get(user) ?? 0) > 0 && random() < 0.4;
      const options = {
        token: user.access,
        headers: { "Idempotency-Key": `key-of-the-upload-${upload}` },
        multipart: isPatch
          ? { document_back: file(png()) }
          : { document_number: newNumber(), document_front: file(jpeg()), document_back: file(png()) },
      };
      // A phone without an answer retries once or twice, with or without success.
      for (let tries = 0; ; tries++) {
        const isLast = tries === 2;
        const answer = await simulation.call(isPatch ? "PATCH" : "POST", KYC, options, isLast ? {} : { faults });
        await expectNoDanglingLink(user, `upload ${upload}, try ${tries}`);
        if (answer === "died") continue;
        if (answer.status < 300) {
          made.set(user, (made.get(user) ?? 0) + 1);
          break;
        }
        expect(answer.status, JSON.stringify(answer.body)).toBe(503);
        if (isLast) throw new Error("a call without a fault failed");
      }
      if (upload % 25 < 24) continue;
      vi.setSystemTime(Date.now() + HOUR_MS + 61_000);
      await sweep(simulation, 3, faults);
      for (const each of users) await renew(each);
    }
    const operations = ["D1 batch", "R2 put", "R2 delete"];
    for (const operation of operations)
      for (const fault of FAULTS)
        expect(met.get(`${operation} ${fault}`) ?? 0, operation).toBeGreaterThanOrEqual(UPLOADS / 100);
    await sweepLater();
    for (const user of users) {
      await expectSwept(user);
      const effects =
        "select (select version from kyc where user_id = ?1) as version, (select count(*) from audit_logs where user_id = ?1 and entity_type = 'kyc') as audited";
      const count = made.get(user);
      expect(await rows(effects, user.userId), "each upload took effect once").toEqual([
        { version: count, audited: count },
      ]);
    }
  }, 240_000);
});

describe("An upload concurrent with the sweeper", () => {
  /** Makes every file two hours old when its row is inserted, as if the upload stalled then. */
  const STALLED = `create trigger stalled_upload after insert on kyc_documents
    begin update kyc_documents set created_at = created_at - 7200000 where id = new.id; end`;
  afterEach(() => run("drop trigger if exists stalled_upload"));

  it("keeps its file with some seeds and gets 503 with others, wherever they collide", async () => {
    const outcomes = new Set<number>();
    await run(STALLED);
    for (let seed = 1; seed <= 8 || (seed <= 60 && outcomes.size < 2); seed++) {
      const user = await newUser();
      await submit(user);
      await forgetUploads(user);
      const simulation = new Simulation(seed);
      await startSweep();
      await simulation.tick(2);
      const [answer] = await Promise.all([
        simulation.call("POST", KYC, { token: user.access, multipart: whole() }),
        simulation.deliver(2),
      ]);
      if (answer === "died") throw new Error("nothing died");
      outcomes.add(answer.status);
      await expectNoDanglingLink(user, `seed ${seed}`);
      await sweepLater();
      await expectSwept(user);
    }
    expect(outcomes).toEqual(new Set([201, 503]));
  });

  it("cannot reference a file that was abandoned", async () => {
    const user = await newUser();
    const simulation = new Simulation(1);
    // After the put, does what a sweep at this moment would do.
    const bucket = new Proxy(env.KYC_BUCKET, {
      get: (target, name) =>
        name === "put"
          ? async (key: string, ...more: [ReadableStream, R2PutOptions]) => {
              const object = await target.put(key, ...more);
              await run("update kyc_documents set state = 'abandoned' where object_key = ?", key);
              await target.delete(key);
              return object;
            }
          : Reflect.get(target, name).bind(target),
    });
    const options = { token: user.access, multipart: whole(), env: { KYC_BUCKET: bucket } };
    const answer = await simulation.call("POST", KYC, options);
    expect(answer).toMatchObject({ status: 503 });
    expect(await rows("select 1 from kyc where user_id = ?", user.userId)).toEqual([]);
    expect((await submit(user)).status).toBe(201);
    await expectNoDanglingLink(user, "after the next try");
  });
});

it("an upload never overwrites an existing object", async () => {
  const user = await newUser();
  const bucket = new Proxy(env.KYC_BUCKET, {
    get: (target, name) =>
      name === "put"
        ? async (key: string, bytes: Uint8Array, options: R2PutOptions) => {
            await target.put(key, "first", { onlyIf: { etagDoesNotMatch: "*" } });
            return target.put(key, bytes, options);
          }
        : Reflect.get(target, name).bind(target),
  });
  await submit(user, whole(), { env: { KYC_BUCKET: bucket } });
  const [key = ""] = await keysOf(user);
  expect(await (await env.KYC_BUCKET.get(key))?.text()).toBe("first");
});

describe("sweep_kyc_uploads", () => {
  it("removes objects without a row once they are an hour old, and no others", async () => {
    const user = await newUser();
    await submit(user);
    const named = await keysOf(user);
    const stray = `kyc/${crypto.randomUUID()}/${crypto.randomUUID()}`;
    await env.KYC_BUCKET.put(stray, "left behind");
    await env.KYC_BUCKET.put("elsewhere/file", "not of KYC");
    const isDone = await sweep(new Simulation(1), 1);
    expect(await isDone()).toBe(true);
    expect(await env.KYC_BUCKET.head(stray), "too young").not.toBeNull();
    await sweepLater();
    expect((await env.KYC_BUCKET.head(stray))?.key).toBeUndefined();
    expect(await env.KYC_BUCKET.head("elsewhere/file")).not.toBeNull();
    expect(await keysOf(user)).toEqual(named);
  });

  it("scans a bucket of many pages", async () => {
    const prefix = `kyc/${crypto.randomUUID()}`;
    await Promise.all(Array.from({ length: 1_100 }, (_, i) => env.KYC_BUCKET.put(`${prefix}/${i}`, "x")));
    await sweepLater();
    expect((await env.KYC_BUCKET.list({ prefix })).objects.length).toBe(0);
  });
});
