import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CallOptions, newIp, newPhone, readCode, signUp, verify } from "../support/client.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { type Simulated, Simulation } from "../support/simulator/simulation.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

const FAULTS: Fault[] = ["throw-before", "throw-after", "die-before", "die-after"];

interface Flow {
  path: string;
  options: CallOptions;
  success: number;
  /** What must be true once the call has been repeated until it was answered. */
  check(answer: Exclude<Simulated, "died">, simulation: Simulation): Promise<void>;
}

const count = async (sql: string, ...values: unknown[]) =>
  env.DB.prepare(`select count(*) as n ${sql}`)
    .bind(...values)
    .first<number>("n");

const flows: Record<string, () => Promise<Flow>> = {
  "otp/request": async () => {
    const identifier = newPhone();
    return {
      path: "/api/auth/otp/request",
      options: { json: { identifier }, ip: newIp(), headers: { "Idempotency-Key": identifier } },
      success: 200,
      async check(_answer, simulation) {
        // Three ticks of the cron, each after the lease of the one before.
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
      options: { json: { identifier, otp }, ip, headers: { "Idempotency-Key": identifier } },
      success: 200,
      async check(answer) {
        expect(answer.body.data.verification_token).toEqual(expect.any(String));
        expect(await count("from verification_tokens where identifier = ?", identifier)).toBe(1);
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
        expect(await count("from outbox where user_id = ? and type = 'user.created'", id)).toBe(1);
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
};

describe.each(Object.entries(flows))("%s, failing at each of its binding calls in turn", (_name, start) => {
  it.each(FAULTS)("is whole after a call that did %s, and takes effect once", async (fault) => {
    for (let at = 0; ; at++) {
      const flow = await start();
      const simulation = new Simulation(at + 1);
      let met = false;
      const faults = ({ index }: BindingCall) => {
        if (index !== at) return undefined;
        met = true;
        return fault;
      };
      let answer = await simulation.call("POST", flow.path, flow.options, { faults });
      if (answer !== "died") expect([flow.success, 503], `call ${at}`).toContain(answer.status);
      for (let tries = 0; tries < 3 && (answer === "died" || answer.status !== flow.success); tries++) {
        answer = await simulation.call("POST", flow.path, flow.options);
      }
      if (answer === "died") throw new Error("a call without a fault died");
      expect(answer.status, `call ${at}: ${JSON.stringify(answer.body)}`).toBe(flow.success);
      await flow.check(answer, simulation);
      if (!met) break;
    }
  });
});
