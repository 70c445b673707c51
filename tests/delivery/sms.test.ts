import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call, newIp, newPhone } from "../support/client.ts";
import {
  type Behaviour,
  FALLBACK,
  fakeInternet,
  fallback,
  misbehaviours,
  SPARROW,
  sparrow,
  sparrowRefusal,
} from "../support/internet.ts";
import { closeBreakers, productionEnv, providerVars, recordLog, stopTime } from "../support/production.ts";
import { acknowledged, consume, requestAndKeep, retried } from "../support/queue.ts";

beforeEach(closeBreakers);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const sparrowOnly = productionEnv({ SMS_FALLBACK_URL: undefined, SMS_FALLBACK_SECRET: undefined });
const fallbackOnly = productionEnv({ SPARROW_TOKEN: undefined, SPARROW_FROM: undefined });

describe("Sparrow", () => {
  test("gets the national number, the text and only its four fields", async () => {
    const phone = newPhone();
    const message = await requestAndKeep(phone, sparrowOnly);
    const received = fakeInternet({ [SPARROW]: sparrow });
    expect(await consume([message], sparrowOnly)).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(1);
    const form = new URLSearchParams(received[SPARROW]?.[0]?.body);
    expect([...form.keys()].sort()).toEqual(["from", "text", "to", "token"]);
    expect(form.get("to")).toBe(phone.slice(4));
    expect(form.get("text")).toMatch(/^\d{6} is your PowerBank code\./);
    expect(received[SPARROW]?.[0]?.redirect).toBe("manual");
  });

  test("gets a Nepali text if the code was requested in Nepali", async () => {
    const message = await requestAndKeep(newPhone(), sparrowOnly, { "accept-language": "ne" });
    const received = fakeInternet({ [SPARROW]: sparrow });
    await consume([message], sparrowOnly);
    expect(new URLSearchParams(received[SPARROW]?.[0]?.body).get("text")).toMatch(/कोड \d{6}/);
  });

  test("is called at the configured URL, by default its public one", async () => {
    const env = { ...sparrowOnly, SPARROW_URL: "https://sparrow.example.org/v2/sms/" } as Env;
    const message = await requestAndKeep(newPhone(), env);
    const received = fakeInternet({ "https://sparrow.example.org": sparrow, [SPARROW]: sparrow });
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(received["https://sparrow.example.org"]).toHaveLength(1);
    expect(received[SPARROW]).toHaveLength(0);
  });

  test.each([1007, 1011])("refuses an unreachable number with %i, which ends the message", async (code) => {
    const message = await requestAndKeep(newPhone(), productionEnv());
    const received = fakeInternet({ [SPARROW]: () => sparrowRefusal(code), [FALLBACK]: fallback });
    expect(await consume([message], productionEnv())).toEqual(acknowledged);
    expect(await consume([message], productionEnv())).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(1);
    expect(received[FALLBACK]).toHaveLength(0);
  });

  test.each([1000, 1001, 1002, 1003, 1004, 1005, 1006, 1008, 1010, 1012, 1013])(
    "refuses with %i, and the message is retried without limit",
    async (code) => {
      const message = await requestAndKeep(newPhone(), sparrowOnly);
      const refusing = fakeInternet({ [SPARROW]: () => sparrowRefusal(code) });
      for (let attempt = 1; attempt <= 4; attempt++) expect(await consume([message], sparrowOnly)).toEqual(retried);
      expect(refusing[SPARROW]).toHaveLength(4);
      const healthy = fakeInternet({ [SPARROW]: sparrow });
      expect(await consume([message], sparrowOnly)).toEqual(acknowledged);
      expect(healthy[SPARROW]).toHaveLength(1);
    },
  );

  test("is not called for numbers outside Nepal, and without another provider no code is accepted for them", async () => {
    const indian = `+9198${String(Math.floor(Math.random() * 1e8)).padStart(8, "0")}`;
    const abroad = { SMS_COUNTRIES: "NP,IN" };
    const message = await requestAndKeep(indian, { ...productionEnv(), ...abroad } as Env);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([message], { ...productionEnv(), ...abroad } as Env)).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(0);
    expect(JSON.parse(received[FALLBACK]?.[0]?.body ?? "")).toMatchObject({ to: indian });
    const answer = await call("POST", "/api/auth/otp/request", {
      ip: newIp(),
      json: { identifier: indian },
      env: { ...sparrowOnly, ...abroad } as Env,
    });
    expect(answer.status).toBe(503);
  });
});

describe("The fallback gateway", () => {
  test("gets id, number and text, signed per Standard Webhooks, with the event id as Idempotency-Key", async () => {
    const phone = newPhone();
    const message = await requestAndKeep(phone, fallbackOnly);
    const received = fakeInternet({ [FALLBACK]: fallback });
    expect(await consume([message], fallbackOnly)).toEqual(acknowledged);
    const [request] = received[FALLBACK] ?? [];
    expect(JSON.parse(request?.body ?? "")).toEqual({
      id: message.event_id,
      to: phone,
      text: expect.stringMatching(/^\d{6} is your/),
    });
    expect(request?.headers.get("webhook-id")).toBe(message.event_id);
  });

  test("may reject the number, which ends the message", async () => {
    const message = await requestAndKeep(newPhone(), fallbackOnly);
    const refuse = () => Response.json({ error: "invalid_recipient" }, { status: 422 });
    const received = fakeInternet({ [FALLBACK]: refuse });
    expect(await consume([message], fallbackOnly)).toEqual(acknowledged);
    expect(await consume([message], fallbackOnly)).toEqual(acknowledged);
    expect(received[FALLBACK]).toHaveLength(1);
  });

  test.each([400, 401, 403, 404, 422, 429])("refuses with %i, and the message is retried", async (status) => {
    const message = await requestAndKeep(newPhone(), fallbackOnly);
    const received = fakeInternet({ [FALLBACK]: () => new Response("canary", { status }) });
    for (let attempt = 1; attempt <= 3; attempt++) expect(await consume([message], fallbackOnly)).toEqual(retried);
    expect(received[FALLBACK]).toHaveLength(3);
  });

  test.each([307, 408, 409, 500, 502, 503])(
    "has an unknown outcome with %i, and is called at most twice",
    async (status) => {
      const message = await requestAndKeep(newPhone(), fallbackOnly);
      const received = fakeInternet({ [FALLBACK]: () => new Response("canary", { status }) });
      for (let attempt = 1; attempt <= 2; attempt++) expect(await consume([message], fallbackOnly)).toEqual(retried);
      expect(await consume([message], fallbackOnly)).toEqual(acknowledged);
      expect(received[FALLBACK]).toHaveLength(2);
    },
  );
});

describe("API10: a provider is not trusted", () => {
  test.each(Object.entries(misbehaviours))("a provider that %s is skipped for the next", async (_what, misbehave) => {
    const clock = stopTime();
    const env = productionEnv();
    const message = await requestAndKeep(newPhone(), env);
    const received = fakeInternet({ [SPARROW]: misbehave(clock.advance), [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(1);
    expect(received[FALLBACK]).toHaveLength(1);
  });

  test.each(Object.entries(misbehaviours))(
    "a single provider that %s is called at most twice",
    async (_what, misbehave) => {
      const clock = stopTime();
      const message = await requestAndKeep(newPhone(), sparrowOnly);
      const received = fakeInternet({ [SPARROW]: misbehave(clock.advance) });
      for (let attempt = 1; attempt <= 2; attempt++) expect(await consume([message], sparrowOnly)).toEqual(retried);
      expect(await consume([message], sparrowOnly)).toEqual(acknowledged);
      expect(received[SPARROW]).toHaveLength(2);
    },
  );
});

describe("ASVS 16.2.5: the log of a provider call", () => {
  test("is one line with provider and outcome, without number, text, code or the provider's response", async () => {
    const behaviours: Record<string, Behaviour> = {
      ...misbehaviours,
      "takes it": () => sparrow,
      "refuses it": () => () => sparrowRefusal(1002),
      "refuses the number": () => () => sparrowRefusal(1007),
    };
    for (const [what, behave] of Object.entries(behaviours)) {
      await closeBreakers();
      const clock = stopTime();
      const phone = newPhone();
      const message = await requestAndKeep(phone, productionEnv());
      const received = fakeInternet({ [SPARROW]: behave(clock.advance), [FALLBACK]: fallback });
      const lines = recordLog();
      await consume([message], productionEnv());
      vi.restoreAllMocks();
      vi.useRealTimers();
      const tries = lines.filter(({ event }) => event === "delivery_try");
      expect(tries, what).toHaveLength((received[SPARROW]?.length ?? 0) + (received[FALLBACK]?.length ?? 0));
      expect(tries[0]).toMatchObject({ provider: "sparrow", channel: "sms", event_id: message.event_id });
      const text = new URLSearchParams(received[SPARROW]?.[0]?.body).get("text") ?? "";
      const [code = "none"] = text.match(/\d{6}/) ?? [];
      const words = lines.map(({ time: _time, event_id: _id, ...rest }) => JSON.stringify(rest)).join("\n");
      for (const secret of ["canary", phone.slice(4), code, "is your", providerVars.SPARROW_TOKEN]) {
        expect(words, what).not.toContain(secret);
      }
    }
  });
});
