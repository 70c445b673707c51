import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it, vi } from "vitest";
import { replayStatements } from "../../scripts/replay.ts";
import { call, logIn, newIp, newPhone, type SignedIn, signUp, testEnv, verify } from "../support/client.ts";
import { stopClock, useClock } from "../support/clock.ts";
import { newId } from "../support/ids.ts";
import { fakeInternet, type Host, misbehaviours, type Outgoing } from "../support/internet.ts";
import { recordLog, stopTime } from "../support/production.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { heldTasks, runTasks, type TaskMessage, tick } from "../support/tasks.ts";

const secret = (name: string) => `whsec_${btoa(`canary-${name}`.padEnd(32, "."))}`;

const CRM = "https://crm.example.org";
const STATS = "https://stats.example.net";
const [oldSecret, newSecret, statsSecret] = [secret("old"), secret("new"), secret("stats")];
const endpoints = [
  { url: `${CRM}/hooks/users?tenant=7`, secrets: [newSecret, oldSecret] },
  { url: `${STATS}/in`, secrets: [statsSecret] },
];
const webhooks = (list: unknown = endpoints) => ({ WEBHOOKS: JSON.stringify(list) }) as unknown as Partial<Env>;
const crmOnly = webhooks(endpoints.slice(0, 1));

const accept: Host = () => new Response(null, { status: 204 });
const refuse: Host = () => new Response("canary", { status: 503 });

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A new user whose sign-up message is held back. */
async function signUpHeld(env: Partial<Env> = webhooks()) {
  const tasks = heldTasks();
  const user = await signUp(newPhone(), { ip: newIp(), env: { ...env, ...tasks.env } });
  return { tasks, user, env: { ...env, ...tasks.env } };
}

/** Changes the user: their inactive account is reactivated by signing in. */
async function reactivate(user: SignedIn, env: Partial<Env>): Promise<SignedIn> {
  await testEnv.DB.prepare("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?")
    .bind(user.userId)
    .run();
  return logIn(user.identifier, { ip: newIp(), env });
}

/** Changes the user's address. */
async function changeAddress(user: SignedIn, address: string, env: Partial<Env>): Promise<void> {
  const answer = await call("PATCH", "/api/users/profile", { token: user.access, json: { address }, env });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

/** The messages for each endpoint, in the order of the configuration. */
async function fanOut(user: SignedIn, tasks: ReturnType<typeof heldTasks>, env: Partial<Env>): Promise<TaskMessage[]> {
  expect(await runTasks(tasks.take(user.userId), env)).not.toContain(undefined);
  return tasks.take(user.userId, "webhook.due");
}

/** The body as verified by the receiver with its secret. */
const read = ({ body, headers }: Outgoing, key: string) =>
  new Webhook(key).verify(body, Object.fromEntries(headers)) as {
    type: string;
    timestamp: string;
    data: Record<string, unknown>;
  };

const idsOf = (requests: Outgoing[]) => requests.map(({ headers }) => headers.get("webhook-id"));

const lettersOf = async (userId: string) =>
  (await testEnv.DB.prepare("select * from dead_letters where user_id = ?").bind(userId).all()).results;

describe("Webhook messages", () => {
  it("a sign-up sends one signed message to each endpoint, which verifies with either secret of a rotation", async () => {
    const { tasks, user, env } = await signUpHeld();
    const due = await fanOut(user, tasks, env);
    const received = fakeInternet({ [CRM]: accept, [STATS]: accept });
    expect(await runTasks(due, env)).toEqual(["taken", "taken"]);
    expect([received[CRM]?.length, received[STATS]?.length]).toEqual([1, 1]);
    const [crm, stats] = [received[CRM]?.[0], received[STATS]?.[0]] as [Outgoing, Outgoing];
    expect(crm).toMatchObject({ url: endpoints[0]?.url, method: "POST", redirect: "manual" });
    expect(crm.headers.get("content-type")).toBe("application/json");
    expect(crm.headers.get("webhook-signature")).toMatch(/^v1,[A-Za-z0-9+/=]{44} v1,[A-Za-z0-9+/=]{44}$/);
    expect(read(crm, oldSecret)).toEqual(read(crm, newSecret));
    expect(read(stats, statsSecret)).toEqual(read(crm, newSecret));
    expect(() => read(crm, statsSecret)).toThrow();
    expect(idsOf([crm, stats])).toEqual(due.map(({ event_id }) => event_id));
    expect(new Set(idsOf([crm, stats])).size).toBe(2);
  });

  it("the body contains the current user with a version, and no secret, token or code", async () => {
    const clock = stopClock();
    const { tasks, user, env } = await signUpHeld(crmOnly);
    const changedAt = new Date().toISOString();
    await testEnv.DB.batch([
      testEnv.DB.prepare(
        "update profiles set full_name = 'Asha Gurung', date_of_birth = '1999-04-01', address = 'Pokhara' where user_id = ?",
      ).bind(user.userId),
      testEnv.DB.prepare(
        `insert into kyc (user_id, id, document_type, document_number_sealed, document_number_key_id,
          document_number_index, front_document_id, status, version, changed_by, submitted_at, created_at, updated_at)
          values (?1, ?1, 'CITIZENSHIP', 'canary', 'canary', 'canary' || ?1, 'canary', 'PENDING', 9, '', 0, 0, 0)`,
      ).bind(user.userId),
    ]);
    clock.advance(90_000);
    const received = fakeInternet({ [CRM]: accept });
    await runTasks(await fanOut(user, tasks, env), env);
    const body = read(received[CRM]?.[0] as Outgoing, newSecret);
    expect(body).toEqual({
      type: "user.created",
      timestamp: changedAt,
      data: {
        id: user.userId,
        username: expect.stringMatching(/^user_/),
        email: null,
        phone_number: user.identifier,
        email_verified: false,
        phone_verified: true,
        status: "ACTIVE",
        role: "user",
        locale: "en",
        social_provider: "PHONE",
        profile_picture: null,
        full_name: "Asha Gurung",
        date_of_birth: "1999-04-01",
        address: "Pokhara",
        avatar_url: null,
        profile_complete: true,
        kyc_status: "PENDING",
        date_joined: changedAt,
        updated_at: changedAt,
        version: 1,
      },
    });
    expect(Number(received[CRM]?.[0]?.headers.get("webhook-timestamp"))).toBe(Math.floor(Date.now() / 1000));
    const code = await testEnv.DB.prepare("select code from local_outbox where recipient = ?")
      .bind(user.identifier)
      .first<string>("code");
    for (const word of ["canary", code ?? "", user.access, user.refresh, "referral", "token"]) {
      expect(received[CRM]?.[0]?.body).not.toContain(word);
    }
  });

  it("late and reordered messages all carry the newest version", async () => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    const events = tasks.take(user.userId);
    for (let change = 0; change < 2; change++) {
      await reactivate(user, env);
      events.push(...tasks.take(user.userId, "user.updated"));
    }
    expect(events.map(({ type }) => type)).toEqual(["user.created", "user.updated", "user.updated"]);
    await runTasks(events.toReversed(), env);
    const received = fakeInternet({ [CRM]: accept });
    await runTasks(tasks.take(user.userId, "webhook.due").toReversed(), env);
    const messages = (received[CRM] ?? []).map((request) => read(request, newSecret));
    expect(messages.map(({ data }) => data.version)).toEqual([3, 3, 3]);
    expect(messages.map(({ type }) => type).sort()).toEqual(["user.created", "user.updated", "user.updated"]);
  });

  it("codes, a sign-in to an active account, a refresh and a logout send nothing", async () => {
    const { tasks, user, env } = await signUpHeld();
    tasks.take(user.userId);
    const again = await logIn(user.identifier, { ip: newIp(), env });
    const refreshed = await call("POST", "/api/auth/refresh", { json: { refresh_token: again.refresh }, env });
    expect(refreshed.status).toBe(200);
    await call("GET", "/api/auth/me", { token: again.access, env });
    const json = { refresh_token: refreshed.body.refresh };
    expect((await call("POST", "/api/auth/logout", { token: again.access, json, env })).status).toBe(200);
    expect(await fanOut(user, tasks, env)).toEqual([]);
  });

  it("a changed profile sends one message with its current values; an unchanged one sends none", async () => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    tasks.take(user.userId);
    const json = { full_name: "Asha Gurung", date_of_birth: "1999-04-01", address: "Pokhara" };
    for (let repetition = 0; repetition < 2; repetition++) {
      const answer = await call("PATCH", "/api/users/profile", { token: user.access, json, env });
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    }
    const received = fakeInternet({ [CRM]: accept });
    expect(await runTasks(await fanOut(user, tasks, env), env)).toEqual(["taken"]);
    expect(read(received[CRM]?.[0] as Outgoing, newSecret)).toMatchObject({
      type: "user.updated",
      data: { ...json, profile_complete: true, version: 2 },
    });
  });

  it("a deletion sends only the id, and earlier messages still queued are dropped", async () => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    const before = await fanOut(user, tasks, env);
    expect((await call("DELETE", "/api/auth/account", { token: user.access, env })).status).toBe(200);
    const [deletion] = tasks.take(user.userId, "user.deleted") as [TaskMessage];
    expect(await runTasks([deletion], env)).toEqual(["taken"]);
    const received = fakeInternet({ [CRM]: accept });
    const due = [...before, ...tasks.take(user.userId, "webhook.due")];
    expect(await runTasks(due, env)).toEqual(["taken", "taken"]);
    expect((received[CRM] ?? []).map((request) => read(request, oldSecret))).toEqual([
      { type: "user.deleted", timestamp: new Date(deletion.created_at).toISOString(), data: { id: user.userId } },
    ]);
  });

  it("without a configured webhook a change causes no row, message or call", async () => {
    const tasks = heldTasks();
    const user = await signUp(newPhone(), { ip: newIp(), env: tasks.env });
    const received = fakeInternet({});
    const touched = vi.fn();
    const DB = new Proxy(testEnv.DB, { get: touched });
    const events = tasks.take(user.userId);
    expect(events).toHaveLength(1);
    expect(await runTasks(events, { ...tasks.env, DB })).toEqual(["taken"]);
    expect(touched).not.toHaveBeenCalled();
    expect(tasks.take(user.userId)).toEqual([]);
    expect(received).toEqual({});
  });
});

/** Seconds between the 8 attempts. */
const DELAYS = [60, 300, 1_440, 5_400, 14_400, 25_200, 39_600];

describe("The delivery of a webhook message", () => {
  it("gets 8 attempts over 24 hours independently of others, then a dead letter with the reason; a replay delivers it", async () => {
    const clock = stopClock();
    const { tasks, user, env } = await signUpHeld();
    const due = await fanOut(user, tasks, env);
    const failing = fakeInternet({ [CRM]: refuse, [STATS]: accept });
    expect(await runTasks(due, env)).toEqual([DELAYS[0], "taken"]);
    const waits = [DELAYS[0]];
    for (let attempt = 2; attempt <= 8; attempt++) {
      clock.advance((waits.at(-1) ?? 0) * 1000);
      const [outcome] = await runTasks(due.slice(0, 1), env, attempt);
      if (typeof outcome === "number") waits.push(outcome);
      expect(outcome, `try ${attempt}`).toBe(attempt < 8 ? DELAYS[attempt - 1] : "taken");
    }
    expect(waits.reduce<number>((sum, wait) => sum + (wait ?? 0), 0)).toBe(86_400);
    expect(Math.max(...DELAYS)).toBeLessThanOrEqual(43_200);
    expect([failing[CRM]?.length, failing[STATS]?.length]).toEqual([8, 1]);
    expect(new Set(idsOf(failing[CRM] ?? [])).size).toBe(1);
    // Each attempt is signed again, because the receiver would reject an old timestamp as a replay.
    expect(new Set(failing[CRM]?.map(({ headers }) => headers.get("webhook-timestamp"))).size).toBe(8);

    const letters = await lettersOf(user.userId);
    expect(letters).toMatchObject([{ type: "webhook.due", event_id: due[0]?.event_id, attempts: 8 }]);
    expect(letters[0]?.reason).toContain(`${CRM}: http 503`);
    expect(JSON.stringify(letters)).not.toMatch(/canary|whsec|tenant/);

    // As scripts/tasks.ts replays it.
    for (const statement of replayStatements(String(letters[0]?.id))) await testEnv.DB.prepare(statement).run();
    await tick(env);
    const [replayed] = tasks.take(user.userId, "webhook.due");
    vi.restoreAllMocks();
    const healthy = fakeInternet({ [CRM]: accept });
    expect(await runTasks([replayed as TaskMessage], env)).toEqual(["taken"]);
    expect(idsOf(healthy[CRM] ?? [])).toEqual([due[0]?.event_id]);
    expect(read(healthy[CRM]?.[0] as Outgoing, newSecret).type).toBe("user.created");
  });

  const failures = Object.entries({
    "is silent past the deadline": "deadline",
    "starts a response and never ends it": "deadline",
    "answers with more than 64 KB": "too large",
    redirects: "redirect",
    "fails with 500": "http 500",
    "closes the connection": "network",
  });

  it.each(failures)("to an endpoint that %s is retried, and logged as %s without its response", async (how, reason) => {
    const clock = stopTime();
    const { tasks, user, env } = await signUpHeld(crmOnly);
    const due = await fanOut(user, tasks, env);
    const host = misbehaviours[how]?.(clock.advance) as Host;
    const received = fakeInternet({ [CRM]: host, "https://canary.example": accept });
    const lines = recordLog();
    expect(await runTasks(due, env)).toEqual([60]);
    expect(received[CRM]).toHaveLength(1);
    expect(received["https://canary.example"]).toHaveLength(0);
    const [line] = lines.filter(({ event }) => event === "task_failed");
    expect(line?.reason).toContain(`${CRM}: ${reason}`);
    expect(JSON.stringify(lines)).not.toMatch(/canary|whsec|tenant|\+977/);
  });

  it.each([200, 201, 202, 204, 299])("is complete after a response with status %i", async (status) => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    fakeInternet({ [CRM]: () => new Response(null, { status }) });
    expect(await runTasks(await fanOut(user, tasks, env), env)).toEqual(["taken"]);
  });

  it.each([400, 401, 404, 408, 409, 422, 429, 502])("is retried after a response with status %i", async (status) => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    fakeInternet({ [CRM]: () => new Response(null, { status }) });
    expect(await runTasks(await fanOut(user, tasks, env), env)).toEqual([60]);
  });

  it("ends with an alert and without a dead letter after a response with status 410", async () => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    const due = await fanOut(user, tasks, env);
    fakeInternet({ [CRM]: () => new Response(null, { status: 410 }) });
    const lines = recordLog();
    expect(await runTasks(due, env)).toEqual(["taken"]);
    expect(lines.filter(({ event }) => event === "webhook_gone")).toMatchObject([{ level: "error", origin: CRM }]);
    expect(await lettersOf(user.userId)).toEqual([]);
  });

  it("is dropped if its endpoint is no longer configured", async () => {
    const { tasks, user, env } = await signUpHeld();
    const due = await fanOut(user, tasks, env);
    const received = fakeInternet({ [CRM]: accept, [STATS]: accept });
    const moved = webhooks([{ url: `${CRM}/elsewhere`, secrets: [newSecret] }, endpoints[1]]);
    expect(await runTasks(due, { ...env, ...moved })).toEqual(["taken", "taken"]);
    expect([received[CRM]?.length, received[STATS]?.length]).toEqual([0, 1]);
  });

  it("becomes a dead letter at once if the message names an unknown event type", async () => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    const [due] = (await fanOut(user, tasks, env)) as [TaskMessage];
    const received = fakeInternet({ [CRM]: accept });
    const odd = {
      ...due,
      event_id: newId(),
      payload: JSON.stringify({ ...JSON.parse(due.payload), type: "x" }),
    };
    expect(await runTasks([odd], env)).toEqual(["taken"]);
    expect(received[CRM]).toHaveLength(0);
    expect(await lettersOf(user.userId)).toMatchObject([{ reason: expect.stringContaining("type") }]);
  });
});

describe("An endpoint that is down", () => {
  it("does not delay other endpoints: it is called at most twice per batch while theirs are delivered", async () => {
    const { tasks, user, env } = await signUpHeld();
    const events = tasks.take(user.userId);
    for (let change = 0; change < 4; change++) {
      await changeAddress(user, `Street ${change}`, env);
      events.push(...tasks.take(user.userId, "user.updated"));
    }
    await runTasks(events, env);
    const due = tasks.take(user.userId, "webhook.due");
    expect(due).toHaveLength(10);
    let takenMeanwhile = 0;
    let hangUp = () => {};
    // The first endpoint hangs until the other has received all its messages.
    const hanging = new Promise<Response>((_, reject) => {
      hangUp = () => reject(new TypeError("canary: connection lost"));
    });
    hanging.catch(() => undefined);
    const received = fakeInternet({
      [CRM]: () => hanging,
      [STATS]: (request) => {
        takenMeanwhile += 1;
        if (takenMeanwhile === 5) hangUp();
        return accept(request);
      },
    });
    const outcomes = await runTasks(due, env);
    expect(outcomes.filter((outcome) => outcome === "taken")).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 60)).toHaveLength(5);
    expect([received[CRM]?.length, received[STATS]?.length]).toEqual([2, 5]);
  });

  it("is called for each message if it answers with errors", async () => {
    const { tasks, user, env } = await signUpHeld(crmOnly);
    const events = tasks.take(user.userId);
    for (let change = 0; change < 3; change++) {
      await changeAddress(user, `Street ${change}`, env);
      events.push(...tasks.take(user.userId, "user.updated"));
    }
    await runTasks(events, env);
    const received = fakeInternet({ [CRM]: refuse });
    expect(await runTasks(tasks.take(user.userId, "webhook.due"), env)).toEqual([60, 60, 60, 60]);
    expect(received[CRM]).toHaveLength(4);
  });
});

describe("At-least-once delivery", () => {
  it("sends nothing for copies of a message that the endpoint has accepted", async () => {
    const { tasks, user, env } = await signUpHeld();
    const events = tasks.take(user.userId);
    await runTasks([...events, ...events], env);
    await runTasks(events, env);
    const due = tasks.take(user.userId, "webhook.due");
    expect(due).toHaveLength(2);
    const received = fakeInternet({ [CRM]: accept, [STATS]: accept });
    for (let copy = 0; copy < 3; copy++) expect(await runTasks(due, env, copy + 1)).toEqual(["taken", "taken"]);
    expect([received[CRM]?.length, received[STATS]?.length]).toEqual([1, 1]);
  });

  const FAULTS: Fault[] = ["throw-before", "throw-after", "die-before", "die-after"];

  useClock({ timers: true });

  /** Delivers the queue's messages, each of which is redelivered once, as after a lost acknowledgement. */
  async function deliverAndKeep(simulation: Simulation, faults?: (call: BindingCall) => Fault | undefined) {
    const copies = [...simulation.queue.held];
    await simulation.deliver(2, { env: webhooks(), ...(faults ? { faults } : {}) });
    simulation.queue.held.push(...copies);
  }

  /** The messages about the user that an endpoint received, by id. */
  const messagesTo = (requests: Outgoing[] | undefined, userId: string) =>
    new Set(idsOf((requests ?? []).filter(({ body }) => JSON.parse(body).data.id === userId)));

  it.each(FAULTS)(
    "sends one message per endpoint for a sign-up despite duplicates, reordering and the fault %s",
    async (fault) => {
      const received = fakeInternet({ [CRM]: accept, [STATS]: accept });
      for (let seed = 1; seed <= 2; seed++) {
        const identifier = newPhone();
        const ip = newIp();
        const verification_token = await verify(identifier, { ip });
        const simulation = new Simulation(seed);
        const { random } = simulation.scheduler;
        const faults = () => (random() < 0.3 ? fault : undefined);
        const json = { identifier, verification_token };
        let answer = await simulation.call("POST", "/api/auth/register", { ip, json }, { faults });
        if (answer === "died" || answer.status !== 201)
          answer = await simulation.call("POST", "/api/auth/register", { ip, json });
        if (answer === "died") throw new Error("a call without a fault died");
        for (let round = 0; round < 3; round++) {
          await deliverAndKeep(simulation, faults);
          vi.setSystemTime(Date.now() + 31_000);
          await simulation.tick(2, { faults });
        }
        for (let round = 0; round < 3; round++) {
          await deliverAndKeep(simulation);
          vi.setSystemTime(Date.now() + 31_000);
          await simulation.tick();
        }
        await simulation.deliver(3, { env: webhooks() });
        const { user_id } = answer.body.data;
        expect(messagesTo(received[CRM], user_id).size, `seed ${seed}`).toBe(1);
        expect(messagesTo(received[STATS], user_id).size, `seed ${seed}`).toBe(1);
      }
    },
  );

  it("sends one message per endpoint for a reactivating sign-in despite duplicated events and messages", async () => {
    const received = fakeInternet({ [CRM]: accept, [STATS]: accept });
    const user = await signUp(newPhone(), { ip: newIp() });
    for (let seed = 1; seed <= 3; seed++) {
      await testEnv.DB.prepare("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?")
        .bind(user.userId)
        .run();
      vi.setSystemTime(Date.now() + 3_600_000);
      const ip = newIp();
      const json = { identifier: user.identifier, verification_token: await verify(user.identifier, { ip }) };
      const simulation = new Simulation(seed);
      expect(await simulation.call("POST", "/api/auth/login", { ip, json })).toMatchObject({ status: 200 });
      for (let round = 0; round < 4; round++) await deliverAndKeep(simulation);
      for (const origin of [CRM, STATS] as const) {
        expect(messagesTo(received[origin], user.userId).size, `seed ${seed}`).toBe(seed);
      }
    }
    const messages = (received[CRM] ?? [])
      .map(({ body }) => JSON.parse(body))
      .filter(({ data }) => data.id === user.userId);
    expect(new Set(messages.map(({ type }) => type))).toEqual(new Set(["user.updated"]));
  });
});
