import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { emailVerdicts } from "../../src/delivery/email.ts";
import { fcmVerdicts } from "../../src/delivery/fcm-answer.ts";
import { sparrowVerdicts } from "../../src/delivery/sparrow.ts";
import { newEmail, newPhone, type SignedIn, testEnv } from "../support/client.ts";
import { FALLBACK, fakeInternet, type Host, SPARROW, sparrow, sparrowRefusal } from "../support/internet.ts";
import { newUser } from "../support/people.ts";
import {
  closeBreakers,
  databaseLosingAnswersOf,
  databaseWithout,
  productionEnv,
  recordLog,
  stopTime,
} from "../support/production.ts";
import {
  notificationOf,
  pushEnv,
  pushesOf,
  pushOnline,
  pushTokensOf,
  registerDevice,
  takenByFcm,
} from "../support/push.ts";
import { acknowledged, consume, requestAndKeep, retried } from "../support/queue.ts";

beforeEach(closeBreakers);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const breaker = (provider: string) =>
  testEnv.DB.prepare("select failures, opened_until from provider_breakers where provider = ?")
    .bind(provider)
    .first<{ failures: number; opened_until: number | null }>();
const failuresOf = async (provider: string) => (await breaker(provider))?.failures ?? 0;

/** What happens to a message: done after the first attempt, retried at each of five deliveries, or attempted twice. */
type Fate = "ends" | "again" | "twice";
/** Number of provider calls if a message is delivered five times. */
const attempts: Record<Fate, number> = { ends: 1, twice: 2, again: 5 };

/** An error in FCM's documented format. */
const fcmError =
  (status: number, canonical: string, details?: unknown[]): Host =>
  () =>
    Response.json({ error: { code: status, message: "canary", status: canonical, details } }, { status });
const fcmCode = (errorCode: string) => ({ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode });
const quota = (subject: string) => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: [{ subject, description: "canary" }],
});

describe("FCM responses", () => {
  let env: Env;
  let user: SignedIn;
  beforeAll(async () => {
    env = await pushEnv();
    user = await newUser();
  });

  const matrix: [what: string, host: Host, fate: Fate, isForgotten: boolean, failures: 0 | 1][] = [
    ["UNREGISTERED", fcmError(404, "NOT_FOUND", [fcmCode("UNREGISTERED")]), "ends", true, 0],
    ["SENDER_ID_MISMATCH", fcmError(403, "PERMISSION_DENIED", [fcmCode("SENDER_ID_MISMATCH")]), "ends", true, 0],
    ["INVALID_ARGUMENT", fcmError(400, "INVALID_ARGUMENT", [fcmCode("INVALID_ARGUMENT")]), "ends", false, 0],
    ["INVALID_ARGUMENT of a field", fcmError(400, "INVALID_ARGUMENT", [{ fieldViolations: [] }]), "ends", false, 0],
    ["QUOTA_EXCEEDED", fcmError(429, "RESOURCE_EXHAUSTED", [fcmCode("QUOTA_EXCEEDED")]), "again", false, 0],
    [
      "QUOTA_EXCEEDED of a device",
      fcmError(429, "RESOURCE_EXHAUSTED", [fcmCode("QUOTA_EXCEEDED"), quota("device:x")]),
      "again",
      false,
      0,
    ],
    [
      "QUOTA_EXCEEDED of the project",
      fcmError(429, "RESOURCE_EXHAUSTED", [quota("project:1"), fcmCode("QUOTA_EXCEEDED")]),
      "again",
      false,
      1,
    ],
    [
      "THIRD_PARTY_AUTH_ERROR",
      fcmError(401, "UNAUTHENTICATED", [fcmCode("THIRD_PARTY_AUTH_ERROR")]),
      "again",
      false,
      0,
    ],
    ["UNAVAILABLE", fcmError(503, "UNAVAILABLE", [fcmCode("UNAVAILABLE")]), "twice", false, 1],
    ["INTERNAL", fcmError(500, "INTERNAL", [fcmCode("INTERNAL")]), "twice", false, 1],
    ["a bare 404", fcmError(404, "NOT_FOUND"), "again", false, 1],
    ["a 404 that is not JSON", () => new Response("canary", { status: 404 }), "twice", false, 1],
    ["a bare 401", fcmError(401, "UNAUTHENTICATED"), "again", false, 1],
    ["a bare 403", fcmError(403, "PERMISSION_DENIED"), "again", false, 1],
    ["a bare 429", fcmError(429, "RESOURCE_EXHAUSTED"), "again", false, 1],
    ["an unknown code", fcmError(503, "UNAVAILABLE", [fcmCode("UNSPECIFIED_ERROR")]), "twice", false, 1],
    ["a code that is not a string", fcmError(404, "NOT_FOUND", [{ errorCode: 5 }, "canary"]), "again", false, 1],
  ];

  test.each(matrix)(
    "%s has the expected effect on message, token and breaker",
    async (_what, host, fate, isForgotten, failures) => {
      stopTime();
      const token = await registerDevice(user, "phone");
      const message = await notificationOf(user);
      const sent = pushOnline(host);
      for (let attempt = 1; attempt <= 5; attempt++) await consume([message], env, attempt);
      expect(sent).toHaveLength(attempts[fate]);
      expect(await pushTokensOf(user)).toEqual(isForgotten ? [] : [token]);
      expect(await failuresOf("fcm")).toBe(failures);
    },
  );

  test("that refuse a push give its attempt back only once if the answer of the database is lost", async () => {
    stopTime();
    await registerDevice(user, "phone");
    const message = await notificationOf(user);
    pushOnline(fcmError(429, "RESOURCE_EXHAUSTED", [fcmCode("QUOTA_EXCEEDED")]));
    await consume([message], { ...env, ...databaseLosingAnswersOf(/"attempts" - 1/) });
    const sent = pushOnline(fcmError(500, "INTERNAL", [fcmCode("INTERNAL")]));
    for (let attempt = 1; attempt <= 5; attempt++) await consume([message], env, attempt);
    expect(sent).toHaveLength(2);
  });

  test("that say that a token is dead are repeated until the token is deleted", async () => {
    stopTime();
    await registerDevice(user, "phone");
    const message = await notificationOf(user);
    const sent = pushOnline(fcmError(404, "NOT_FOUND", [fcmCode("UNREGISTERED")]));
    const unwritable = { ...env, ...databaseWithout(/^update "devices" set "fcm_token"/) };
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await consume([message], unwritable, attempt)).toEqual(retried);
    }
    expect(await pushTokensOf(user)).toHaveLength(1);
    expect(await consume([message], env, 4)).toEqual(acknowledged);
    expect([sent.length, await pushTokensOf(user)]).toEqual([4, []]);
  });

  test("include every code that has a verdict", () => {
    const named = matrix.map(([what]) => what);
    for (const code of Object.keys(fcmVerdicts)) expect(named).toContain(code);
  });

  test("for five foreign tokens of one user do not prevent valid pushes to others", async () => {
    stopTime();
    const hostile = await newUser();
    const foreign = new Set<string>();
    for (let i = 0; i < 5; i++) foreign.add(await registerDevice(hostile));
    const honest: SignedIn[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 6; i++) {
      const each = await newUser();
      honest.push(each);
      for (let device = 0; device < 10; device++) expected.push(await registerDevice(each));
    }
    const answers: Host[] = [
      fcmError(403, "PERMISSION_DENIED", [fcmCode("SENDER_ID_MISMATCH")]),
      fcmError(401, "UNAUTHENTICATED", [fcmCode("THIRD_PARTY_AUTH_ERROR")]),
      fcmError(429, "RESOURCE_EXHAUSTED", [fcmCode("QUOTA_EXCEEDED")]),
      // Failures of one user's tokens count as one recipient.
      fcmError(503, "UNAVAILABLE"),
    ];
    const delivered: string[] = [];
    for (const [round, answer] of answers.entries()) {
      for (const [i, token] of [...foreign].entries()) await registerDevice(hostile, `device ${round} ${i}`, token);
      pushOnline((request) => {
        const token = pushesOf([request])[0]?.token ?? "";
        if (foreign.has(token)) return answer(request);
        delivered.push(token);
        return takenByFcm(request);
      });
      for (let i = 0; i < 3; i++) await consume([await notificationOf(hostile)], env);
      vi.restoreAllMocks();
    }
    pushOnline((request) => {
      delivered.push(pushesOf([request])[0]?.token ?? "");
      return takenByFcm(request);
    });
    for (const each of honest)
      expect(await consume([await notificationOf(each)], env)).toEqual({ acked: [0], retried: [] });
    expect(delivered.sort()).toEqual(expected.sort());
  });
});

describe("A push notification", () => {
  test("expires 24 hours after it was created, on every platform", async () => {
    const clock = stopTime();
    const env = await pushEnv();
    const user = await newUser();
    await registerDevice(user);
    const message = await notificationOf(user);
    const dueAt = Math.floor((Date.now() + 86_400_000) / 1000);
    clock.advance(3_600_000);
    const sent = pushOnline(takenByFcm);
    await consume([message], env);
    const [push] = pushesOf(sent);
    expect(push?.android.ttl).toBe("82800s");
    expect(push?.webpush.headers.TTL).toBe("82800");
    expect(Number(push?.apns.headers["apns-expiration"])).toBe(dueAt);
  });

  test.each([
    [86_399_999, 1],
    [86_400_000, 0],
  ])("%i ms after its notification is sent %i times", async (age, times) => {
    const clock = stopTime();
    const env = await pushEnv();
    const user = await newUser();
    await registerDevice(user);
    const message = await notificationOf(user);
    clock.advance(age);
    const sent = pushOnline(takenByFcm);
    expect(await consume([message], env)).toEqual({ acked: [0], retried: [] });
    expect(sent).toHaveLength(times);
  });

  test("keeps its collapse id when repeated, differs from other notifications and fits each platform's format", async () => {
    stopTime();
    const env = await pushEnv();
    const user = await newUser();
    await registerDevice(user);
    const [message, other] = [await notificationOf(user), await notificationOf(user)];
    let failures = 1;
    const sent = pushOnline((request) => {
      failures -= 1;
      return failures >= 0 ? fcmError(503, "UNAVAILABLE")(request) : takenByFcm(request);
    });
    for (let attempt = 1; attempt <= 2; attempt++) await consume([message], env, attempt);
    await consume([other], env);
    const ids = pushesOf(sent).map(({ android, apns, webpush }) => [
      android.notification.tag,
      apns.headers["apns-collapse-id"],
      webpush.headers.Topic,
      webpush.notification.tag,
    ]);
    expect(ids).toHaveLength(3);
    expect(new Set(ids.map((each) => new Set(each).size))).toEqual(new Set([1]));
    expect(ids[0]).toEqual(ids[1]);
    expect(ids[2]).not.toEqual(ids[0]);
    for (const [id] of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{1,32}$/);
  });
});

describe("Errors of Cloudflare Email Service", () => {
  const fates: Record<string, [Fate, 0 | 1]> = {
    malformed: ["ends", 0],
    unreachable: ["ends", 0],
    gone: ["ends", 0],
    doubtful: ["twice", 0],
    ours: ["again", 1],
    unknown: ["twice", 1],
  };
  const about: Record<string, string[]> = {
    malformed: ["E_VALIDATION_ERROR", "E_FIELD_MISSING", "E_CONTENT_TOO_LARGE", "E_HEADER_NOT_ALLOWED"],
    unreachable: ["E_RECIPIENT_NOT_ALLOWED"],
    gone: ["E_RECIPIENT_SUPPRESSED"],
    doubtful: ["E_DELIVERY_FAILED"],
    ours: ["E_SENDER_NOT_VERIFIED", "E_SENDER_DOMAIN_NOT_AVAILABLE", "E_RATE_LIMIT_EXCEEDED", "E_DAILY_LIMIT_EXCEEDED"],
    unknown: ["E_INTERNAL_SERVER_ERROR"],
  };

  test("map to the expected verdicts", () => {
    for (const [verdict, codes] of Object.entries(about)) {
      for (const code of codes) expect([code, emailVerdicts[code]]).toEqual([code, verdict]);
    }
  });

  test.each(Object.entries({ ...emailVerdicts, E_OF_TOMORROW: "unknown" }))(
    "%s (%s) has the expected effect",
    async (code, verdict) => {
      stopTime();
      let calls = 0;
      const EMAIL = {
        send: async () => {
          calls += 1;
          throw Object.assign(new Error(`${code}: canary`), { code });
        },
      };
      const env = productionEnv({ EMAIL });
      const message = await requestAndKeep(newEmail(), env);
      for (let attempt = 1; attempt <= 5; attempt++) await consume([message], env, attempt);
      const [fate, failures] = fates[verdict] ?? [];
      expect(calls).toBe(attempts[fate ?? "again"]);
      expect(await failuresOf("cloudflare-email")).toBe(failures);
    },
  );
});

describe("Sparrow refusals", () => {
  const expected: Record<number, [calls: number, fallbackCalls: number, failures: number]> = Object.fromEntries(
    Object.entries(sparrowVerdicts).map(([code, verdict]) => [code, verdict === "unreachable" ? [1, 0, 0] : [1, 1, 1]]),
  );

  test("concern the recipient only for 1007 and 1011", () => {
    const aboutReceiver = Object.keys(sparrowVerdicts).filter(
      (code) => sparrowVerdicts[Number(code)] === "unreachable",
    );
    expect(aboutReceiver).toEqual(["1007", "1011"]);
    expect(Object.keys(sparrowVerdicts)).toHaveLength(13);
  });

  test.each([...Object.keys(sparrowVerdicts).map(Number), 1099])("%i has the expected effect", async (code) => {
    stopTime();
    const env = productionEnv();
    const message = await requestAndKeep(newPhone(), env);
    const received = fakeInternet({
      [SPARROW]: () => sparrowRefusal(code),
      [FALLBACK]: () => new Response(null, { status: 202 }),
    });
    expect(await consume([message], env)).toEqual({ acked: [0], retried: [] });
    const found = [received[SPARROW]?.length, received[FALLBACK]?.length, await failuresOf("sparrow")];
    expect(found).toEqual(expected[code] ?? [1, 1, 1]);
  });
});

describe("SMS fallback responses", () => {
  const fateOf = (status: number): [Fate, 0 | 1] => {
    if (status === 409) return ["twice", 0];
    if (status === 408 || status >= 500) return ["twice", 1];
    return ["again", 1];
  };

  test.each([400, 401, 402, 403, 404, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504])(
    "%i has the expected effect",
    async (status) => {
      stopTime();
      const env = productionEnv({ SPARROW_TOKEN: undefined, SPARROW_FROM: undefined });
      const message = await requestAndKeep(newPhone(), env);
      const received = fakeInternet({ [FALLBACK]: () => new Response("canary", { status }) });
      for (let attempt = 1; attempt <= 5; attempt++) await consume([message], env, attempt);
      const [fate, failures] = fateOf(status);
      expect(received[FALLBACK]).toHaveLength(attempts[fate]);
      expect(await failuresOf("sms-fallback")).toBe(failures);
    },
  );

  test("422 with invalid_recipient ends the message and does not count against the provider", async () => {
    const env = productionEnv({ SPARROW_TOKEN: undefined, SPARROW_FROM: undefined });
    const message = await requestAndKeep(newPhone(), env);
    const received = fakeInternet({
      [FALLBACK]: () => Response.json({ error: "invalid_recipient" }, { status: 422 }),
    });
    for (let attempt = 1; attempt <= 3; attempt++) await consume([message], env, attempt);
    expect(received[FALLBACK]).toHaveLength(1);
    expect(await failuresOf("sms-fallback")).toBe(0);
  });
});

describe("A recipient whose messages always fail", () => {
  const env = productionEnv({ SMS_FALLBACK_URL: undefined, SMS_FALLBACK_SECRET: undefined });
  const again = { acked: [], retried: [0] };
  const done = { acked: [0], retried: [] };

  test("counts once against a provider, for any number of messages", async () => {
    const clock = stopTime();
    const phone = newPhone();
    const message = await requestAndKeep(phone, env);
    fakeInternet({ [SPARROW]: () => sparrowRefusal(1012) });
    for (let attempt = 1; attempt <= 20; attempt++) expect(await consume([message], env, attempt)).toEqual(again);
    vi.restoreAllMocks();
    clock.advance(61_000);
    const second = await requestAndKeep(phone, env);
    fakeInternet({ [SPARROW]: () => sparrowRefusal(1012) });
    await consume([second], env);
    expect(await breaker("sparrow")).toEqual({ failures: 1, opened_until: null });
  });

  test("counts as one of the five that open the breaker, and cannot keep it open once the provider recovers", async () => {
    const clock = stopTime();
    const poisoned = newPhone();
    const poison = await requestAndKeep(poisoned, env);
    const others = [];
    for (let i = 0; i < 6; i++) others.push(await requestAndKeep(newPhone(), env));
    const host: Host = (request) =>
      new URLSearchParams(request.body).get("to") === poisoned.slice(-10) ? sparrowRefusal(1012) : sparrow(request);
    fakeInternet({ [SPARROW]: () => sparrowRefusal(1012) });
    await consume([poison], env);
    for (const message of others.slice(0, 3)) await consume([message], env);
    expect((await breaker("sparrow"))?.opened_until).toBeNull();
    await consume([others[3]], env);
    expect(await breaker("sparrow")).toEqual({ failures: 5, opened_until: Date.now() + 30_000 });
    vi.restoreAllMocks();
    const received = fakeInternet({ [SPARROW]: host })[SPARROW];
    // The failing recipient's message comes first each time and has to wait for the others.
    clock.advance(30_000);
    expect(await consume([poison], env, 2)).toEqual(again);
    expect(received).toHaveLength(0);
    clock.advance(29_999);
    expect(await consume([poison], env, 3)).toEqual(again);
    expect(received).toHaveLength(0);
    // With no other recipients it gets its own probe, which proves nothing, so the next recipient may probe at once.
    clock.advance(1);
    expect(await consume([poison], env, 4)).toEqual(again);
    expect(received).toHaveLength(1);
    expect(await consume([others[4]], env)).toEqual(done);
    expect(await consume([others[5]], env)).toEqual(done);
    expect(await breaker("sparrow")).toEqual({ failures: 0, opened_until: null });
  });

  test("raises an alert without message contents if a provider rejects our account or the message format", async () => {
    stopTime();
    const EMAIL = {
      send: async () => {
        throw Object.assign(new Error("E_FIELD_MISSING: canary"), { code: "E_FIELD_MISSING" });
      },
    };
    const both = productionEnv({ EMAIL });
    const [text, mail] = [await requestAndKeep(newPhone(), env), await requestAndKeep(newEmail(), both)];
    const lines = recordLog();
    fakeInternet({ [SPARROW]: () => sparrowRefusal(1002) });
    await consume([text], env);
    await consume([mail], both);
    const raised = lines.filter(({ alert }) => alert).map(({ event, reason, provider }) => [event, provider, reason]);
    expect(raised).toEqual([
      ["delivery_refused", "sparrow", "code 1002"],
      ["delivery_malformed", "cloudflare-email", "E_FIELD_MISSING"],
    ]);
    expect(JSON.stringify(lines)).not.toContain("canary");
  });
});
