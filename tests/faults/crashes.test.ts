import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { logIn, newIp, newPhone, readCode, type SignedIn, signUp, testEnv, verify } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { count } from "../support/database.ts";
import { databaseWithout } from "../support/production.ts";
import { consume, keepingQueue, requestAndKeep, type Sent } from "../support/queue.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { d1For } from "../support/simulator/d1.ts";
import { type BindingCall, type Fault, type Invocation, Scheduler } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { FAULTS, type Flow, failAtEachCall, faultsFor } from "./flow.ts";

beforeAll(keepSentEvents);

useClock({ timers: true });

const flows: Record<string, () => Promise<Flow>> = {
  "otp/request": async () => {
    const identifier = newPhone();
    return {
      path: "/api/auth/otp/request",
      options: { json: { identifier }, ip: newIp(), headers: { "Idempotency-Key": `key-of-${identifier}` } },
      success: 200,
      async check(_answer, simulation) {
        // Three cron ticks, each after the previous lease.
        for (let tick = 0; tick < 3; tick++) {
          vi.setSystemTime(Date.now() + 31_000);
          await simulation.tick();
          await simulation.deliver(2);
        }
        expect(await count("from local_outbox where recipient = ?", identifier)).toBe(1);
        expect(await count("from otp_challenges where identifier = ?", identifier)).toBe(1);
      },
    };
  },
  "otp/verify": async () => {
    const identifier = newPhone();
    const ip = newIp();
    const simulation = new Simulation(1);
    await simulation.call("POST", "/api/auth/otp/request", { ip, json: { identifier } });
    await simulation.deliver();
    const otp = await readCode(identifier);
    return {
      path: "/api/auth/otp/verify",
      options: { json: { identifier, otp }, ip, headers: { "Idempotency-Key": `key-of-${identifier}` } },
      success: 200,
      async check(answer) {
        expect(answer.body.data.verification_token).toEqual(expect.any(String));
        expect(
          await count("from otp_challenges where identifier = ? and consumed_network is not null", identifier),
        ).toBe(1);
      },
    };
  },
  register: async () => {
    const identifier = newPhone();
    const ip = newIp();
    const verification_token = await verify(identifier, { ip });
    return {
      path: "/api/auth/register",
      options: { json: { identifier, verification_token }, ip },
      success: 201,
      async check(answer) {
        const id = answer.body.data.user_id;
        expect(await count("from users where phone_number = ?", identifier)).toBe(1);
        for (const table of ["profiles", "wallets", "points", "point_transactions", "sessions", "audit_logs"]) {
          expect(await count(`from ${table} where user_id = ?`, id), table).toBe(1);
        }
        expect(await count("from recorded_events where user_id = ? and type = 'user.created'", id)).toBe(1);
      },
    };
  },
  login: async () => {
    const user = await signUp(newPhone(), { ip: newIp() });
    vi.setSystemTime(Date.now() + 61_000);
    const ip = newIp();
    const verification_token = await verify(user.identifier, { ip });
    return {
      path: "/api/auth/login",
      options: { json: { identifier: user.identifier, verification_token }, ip },
      success: 200,
      async check() {
        expect(await count("from sessions where user_id = ?", user.userId)).toBe(2);
        expect(await count("from audit_logs where user_id = ? and action = 'LOGIN'", user.userId)).toBe(1);
      },
    };
  },
  refresh: async () => {
    const user = await signUp(newPhone(), { ip: newIp() });
    return {
      path: "/api/auth/refresh",
      options: { json: { refresh_token: user.refresh } },
      success: 200,
      async check() {
        const counter = await env.DB.prepare("select counter from sessions where user_id = ?")
          .bind(user.userId)
          .first("counter");
        expect(counter).toBe(1);
        expect(await count("from sessions where user_id = ? and revoked_at is not null", user.userId)).toBe(0);
      },
    };
  },
  logout: async () => {
    const user = await signUp(newPhone(), { ip: newIp() });
    return {
      path: "/api/auth/logout",
      options: { token: user.access, json: { refresh_token: user.refresh } },
      success: 200,
      isDone: 401,
      check: () => expectEnded([user], []),
    };
  },
  "DELETE auth/sessions/{id}": async () => {
    const [present, other, third] = await threeSessions();
    return {
      method: "DELETE",
      path: `/api/auth/sessions/${decodeJwt(other.access).sid}`,
      options: { token: present.access },
      success: 200,
      isDone: 404,
      check: () => expectEnded([other], [present, third]),
    };
  },
  "DELETE auth/sessions": async () => {
    const [present, ...others] = await threeSessions();
    return {
      method: "DELETE",
      path: "/api/auth/sessions",
      options: { token: present.access },
      success: 200,
      check: () => expectEnded(others, [present]),
    };
  },
};

/** One user on three devices. */
async function threeSessions(): Promise<[SignedIn, SignedIn, SignedIn]> {
  const first = await signUp(newPhone(), { ip: newIp() });
  vi.setSystemTime(Date.now() + 1_000);
  const second = await logIn(first.identifier);
  vi.setSystemTime(Date.now() + 1_000);
  return [first, second, await logIn(first.identifier)];
}

/** Checks that the sessions ended with one audit row each, and that the user's other sessions are still open. */
async function expectEnded(ended: SignedIn[], living: SignedIn[]): Promise<void> {
  const simulation = new Simulation(1);
  for (const { access, refresh } of ended) {
    const { sid } = decodeJwt(access);
    expect(await count("from sessions where id = ? and revoked_at is not null", sid)).toBe(1);
    expect(await count("from audit_logs where action = 'LOGOUT' and entity_id = ?", sid)).toBe(1);
    expect(await simulation.call("GET", "/api/auth/me", { token: access })).toMatchObject({ status: 401 });
    const json = { refresh_token: refresh };
    expect(await simulation.call("POST", "/api/auth/refresh", { json })).toMatchObject({ status: 401 });
  }
  for (const { access } of living) {
    const { sid } = decodeJwt(access);
    expect(await count("from audit_logs where action = 'LOGOUT' and entity_id = ?", sid)).toBe(0);
    expect(await simulation.call("GET", "/api/auth/me", { token: access })).toMatchObject({ status: 200 });
  }
}

const table = Object.entries(flows).map(([name, start], nth) => [name, start, faultsFor(nth)] as const);
describe.each(table)("%s, failing at each of its binding calls in turn", (_name, start, faults) => {
  it.each(faults)("is consistent and takes effect once after a binding call with the fault %s", (fault) =>
    failAtEachCall(start, fault),
  );
});

/** Runs a handler with failing bindings; returns whether it completed, and its result. */
async function runWith<T>(
  faults: (call: BindingCall) => Fault | undefined,
  run: (env: Partial<Env>) => Promise<T>,
  queue?: Queue,
): Promise<{ died: boolean; result?: T }> {
  const scheduler = new Scheduler(1);
  const invocation = scheduler.begin(0, faults);
  const death = new Promise<{ died: boolean }>((resolve) => {
    invocation.onDeath = () => resolve({ died: true });
  });
  const bindings = {
    DB: d1For(scheduler, invocation, env.DB),
    ...(queue ? { OTP_QUEUE: gated(scheduler, invocation, queue) } : {}),
  };
  const whole = run(bindings)
    .then((result) => ({ died: false, result }))
    .catch(() => ({ died: true }))
    .finally(() => scheduler.end(invocation));
  const [outcome] = await Promise.all([Promise.race([whole, death]), scheduler.drain()]);
  return outcome;
}

/** A queue whose calls get the invocation's faults. */
function gated(scheduler: Scheduler, invocation: Invocation, queue: Queue): Queue {
  const about = { binding: "QUEUE", operation: "sendBatch", detail: [] } as const;
  const sendBatch = (messages: MessageSendRequest[]) =>
    scheduler.pass(invocation, { ...about, detail: [] }, async () => queue.sendBatch(messages));
  return { sendBatch } as unknown as Queue;
}

/** Repeats a run with the fault at the first, second … binding call, until there are no more calls. */
async function atEachCall(fault: Fault, run: (faults: (call: BindingCall) => Fault | undefined) => Promise<void>) {
  for (let at = 0; ; at++) {
    let met = false;
    await run(({ index }) => {
      if (index !== at) return undefined;
      met = true;
      return fault;
    });
    if (!met) return expect(at, "calls that met the fault").toBeGreaterThan(1);
  }
}

/** Delivers the message until the consumer acknowledges it, as the queue does. */
async function handOver(body: Sent): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    const { acked } = await consume([body]);
    if (acked.length === 1) return;
    vi.setSystemTime(Date.now() + 31_000);
  }
  throw new Error("the consumer never took the message");
}

describe("a code with a fault at each binding call in turn", () => {
  it.each(FAULTS)("reaches its recipient exactly once after a consumer's call with the fault %s", async (fault) => {
    await atEachCall(fault, async (faults) => {
      const identifier = newPhone();
      const body = await requestAndKeep(identifier);
      const { result } = await runWith(faults, (bindings) => consume([body], bindings));
      // The queue drops acknowledged messages and redelivers the others.
      if (result?.acked.length !== 1) await handOver(body);
      expect(await count("from local_outbox where recipient = ?", identifier)).toBe(1);
    });
  });

  it.each(FAULTS)("reaches its recipient exactly once after a cron tick's call with the fault %s", async (fault) => {
    await atEachCall(fault, async (faults) => {
      const identifier = newPhone();
      const { sent, env: queue } = keepingQueue(identifier);
      const broken = { sendBatch: () => Promise.reject(new Error("Queue is overloaded")) };
      const down = { OTP_QUEUE: broken as unknown as Queue, ...databaseWithout(/^update "sms_budget_days"/i) };
      const options = { ip: newIp(), json: { identifier }, env: down };
      expect(await new Simulation(1).call("POST", "/api/auth/otp/request", options)).toMatchObject({ status: 200 });
      const tick = async (bindings: Partial<Env>) => {
        vi.setSystemTime(Date.now() + 60_000);
        const context = createExecutionContext();
        const controller = createScheduledController({ cron: "* * * * *" });
        await worker.scheduled(controller, { ...testEnv, ...queue, ...bindings }, context);
        await waitOnExecutionContext(context);
      };
      await runWith(faults, tick, queue.OTP_QUEUE);
      for (let ticks = 0; ticks < 2; ticks++) {
        for (const body of sent) await handOver(body);
        await tick({});
      }
      expect(sent.length, "never lost, and sent twice only if the first tick could not").toBeGreaterThanOrEqual(1);
      expect(sent.length).toBeLessThanOrEqual(2);
      for (const body of sent) await handOver(body);
      expect(await count("from local_outbox where recipient = ?", identifier)).toBe(1);
    });
  });
});
