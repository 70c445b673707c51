import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { call, testEnv } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { newUser } from "../support/people.ts";
import { expectRefused, logout, me, refresh, rotate } from "../support/session-calls.ts";

useClock();

/** The D1 binding of `testEnv` with another `batch`. */
const database = (batch: (statements: D1PreparedStatement[]) => Promise<unknown>) =>
  new Proxy(testEnv.DB, { get: (db, name) => (name === "batch" ? batch : Reflect.get(db, name).bind(db)) });
const brokenDatabase = database(() => Promise.reject(new Error("D1_ERROR: secret detail")));

describe("without D1 or KV", () => {
  it.each(["me", "sessions", "refresh", "logout", "end one", "end others"] as const)(
    "a database outage gives 503, never 401, at %s and loses nothing (ASVS 16.5.2)",
    async (route) => {
      const user = await newUser();
      const options = { env: { DB: brokenDatabase }, token: user.access };
      const answer = await {
        me: () => call("GET", "/api/auth/me", options),
        sessions: () => call("GET", "/api/auth/sessions", options),
        refresh: () => refresh(user.refresh, options),
        logout: () => logout(user.access, user.refresh, options),
        "end one": () => call("DELETE", `/api/auth/sessions/${decodeJwt(user.access).sid}`, options),
        "end others": () => call("DELETE", "/api/auth/sessions", options),
      }[route]();
      expect([answer.status, answer.body.error.code]).toEqual([503, "service_unavailable"]);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(answer.headers.has("www-authenticate")).toBe(false);
      expect(JSON.stringify(answer.body)).not.toContain("secret detail");
      expect((await me(user.access)).status).toBe(200);
      await rotate(user.refresh);
    },
  );

  it("a refresh returns its new pair even if the database's response was lost after the commit", async () => {
    const user = await newUser();
    let calls = 0;
    const DB = database(async (statements) => {
      const results = await testEnv.DB.batch(statements);
      if (calls++ === 0) throw new Error("D1_ERROR: network connection lost");
      return results;
    });
    const successor = await rotate(user.refresh, { env: { DB } });
    expect(await rotate(user.refresh)).toBe(successor);
    await rotate(successor);
  });

  it("sessions end even if KV fails or does not know of the end (ASVS 7.4.1)", async () => {
    const fail = () => Promise.reject(new Error("KV is away"));
    const broken = { env: { KV: { get: fail, put: fail, delete: fail } as unknown as KVNamespace } };
    const stale = { env: { KV: { get: async () => null, put: async () => {} } as unknown as KVNamespace } };
    for (const options of [broken, stale]) {
      const user = await newUser();
      const successor = await rotate(user.refresh, options);
      expect((await me(user.access, options)).status).toBe(200);
      expect((await logout(user.access, successor, options)).status).toBe(200);
      expectRefused(await me(user.access, options));
      expectRefused(await refresh(successor, options));
      expectRefused(await refresh(user.refresh, options));
    }
  });
});
