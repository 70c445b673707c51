import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { type Answer, call, newEmail, newIp, readCode, testEnv } from "../support/client.ts";
import { newOtpModel, type OtpModel } from "./otp-model.ts";
import { checkModel, command, wait } from "./run-model.ts";

interface Person {
  identifier: string;
  /** One IP address from each of several networks that no other test uses. */
  networks: string[];
  /** What KV held about the live codes after each code, oldest first. */
  hints: string[];
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Expects the error code and Retry-After that the model gives. */
function expectRefusal(answer: Answer, { refused, retryAfter }: { refused: string; retryAfter?: number }) {
  const found = { code: answer.body.error?.code, retryAfter: answer.headers.get("retry-after") };
  expect(found).toEqual({ code: refused, retryAfter: retryAfter === undefined ? null : String(retryAfter) });
}

const ipOf = (person: Person, network: number) => person.networks[network] ?? "";

const request = (network: number) =>
  command<OtpModel, Person>(`request from ${network}`, async (model, person) => {
    // Two codes created at the same time would have no order.
    vi.setSystemTime(Date.now() + SECOND);
    const [ip, now] = [ipOf(person, network), Date.now()];
    const { identifier } = person;
    const expected = model.request(ip, now);
    const answer = await call("POST", "/api/auth/otp/request", { ip, json: { identifier } });
    if ("refused" in expected) return expectRefusal(answer, expected);
    expect(answer.body.data).toMatchObject({ expires_in: 300, resend_in: expected.resendIn() });
    model.sent(await readCode(identifier, model.messages), ip, now);
    const { keys } = await testEnv.KV.list({ prefix: "otp:" });
    for (const { name } of keys) person.hints.push((await testEnv.KV.get(name)) ?? "");
  });

/** Sets KV to what it held `age` codes ago, or to nothing: the rules hold whatever KV says about the live codes. */
const showOldHint = (age: number) =>
  command<OtpModel, Person>(`KV is ${age} codes behind`, async (_model, { hints }) => {
    const { keys } = await testEnv.KV.list({ prefix: "otp:" });
    const old = hints.at(-1 - age);
    for (const { name } of keys) await (old === undefined ? testEnv.KV.delete(name) : testEnv.KV.put(name, old));
  });

async function guess(model: OtpModel, person: Person, network: number, otp: string) {
  const [ip, now] = [ipOf(person, network), Date.now()];
  const { identifier } = person;
  const expected = model.guess(otp, ip, now);
  const answer = await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } });
  if ("refused" in expected) return expectRefusal(answer, expected);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  expect(answer.body.data.purpose).toBe(model.hasAccount ? "LOGIN" : "REGISTER");
  model.tokens.push({ value: answer.body.data.verification_token, at: now });
}

/** An attempt with the code sent `age` codes ago, live or not. */
const guessRight = (network: number, age: number) =>
  command<OtpModel, Person>(
    `guess right from ${network}, code ${age}`,
    (model, person) => guess(model, person, network, model.codes.at(-1 - age)?.digits ?? ""),
    (model) => model.codes.length > age,
  );

const guessWrong = (network: number, times: number) =>
  command<OtpModel, Person>(`guess wrong from ${network}, ${times} times`, async (model, person) => {
    const wrong =
      ["111111", "222222", "333333"].find((code) => !model.codes.some(({ digits }) => digits === code)) ?? "";
    for (let i = 0; i < times; i++) await guess(model, person, network, wrong);
  });

/** Repeated rounds of a code and wrong attempts, as fast as the rules allow. */
const attack = (network: number) =>
  command<OtpModel, Person>(`attack from ${network}`, async (model, person) => {
    for (let round = 0; round < 4; round++) {
      await request(network).run(model, person);
      await guessWrong(network, 6).run(model, person);
      await wait(5 * MINUTE + SECOND).run(model, person);
    }
  });

const enter = (step: "register" | "login", network: number, age: number) =>
  command<OtpModel, Person>(
    `${step} from ${network}, token ${age}`,
    async (model, person) => {
      const token = model.tokens.at(-1 - age);
      if (!token) throw new Error("no token");
      const { identifier } = person;
      const ip = ipOf(person, network);
      const expected = model.enter(step, token, ip, Date.now());
      const json = { identifier, verification_token: token.value };
      const answer = await call("POST", `/api/auth/${step}`, { ip, json });
      if ("refused" in expected) return expectRefusal(answer, expected);
      expect(answer.status, JSON.stringify(answer.body)).toBe(step === "register" ? 201 : 200);
      if (expected.isRepeat) expect(answer.body.data.refresh_token).toBe(token.refresh);
      token.refresh = answer.body.data.refresh_token;
    },
    (model) => model.tokens.length > age,
  );

/** Three codes as fast as possible, and an attempt with the first one, which is no longer live. */
const burst = (network: number) =>
  command<OtpModel, Person>(`three codes from ${network}, and the first of them`, async (model, person) => {
    for (const pause of [MINUTE, MINUTE, 0]) {
      await request(network).run(model, person);
      await wait(pause).run(model, person);
    }
    if (model.codes.length > 2) await guessRight(network, 2).run(model, person);
  });

/** A complete sign-in whose last step is repeated after a pause, as after a lost response. */
const signInTwice = (network: number, pause: number) =>
  command<OtpModel, Person>(`sign in from ${network}, and again after ${pause / SECOND} s`, async (model, person) => {
    await request(network).run(model, person);
    if (model.codes.length === 0) return;
    await guessRight(network, 0).run(model, person);
    if (model.tokens.length === 0) return;
    const step = model.hasAccount ? "login" : "register";
    await enter(step, network, 0).run(model, person);
    await wait(pause).run(model, person);
    await enter(step, network, 0).run(model, person);
  });

const network = fc.nat(2);
const recent = fc.constantFrom(0, 0, 0, 1, 2);
const pauses = [
  SECOND,
  30 * SECOND,
  59 * SECOND,
  MINUTE,
  61 * SECOND,
  2 * MINUTE,
  3 * MINUTE,
  5 * MINUTE - SECOND,
  5 * MINUTE,
];
const longPauses = [10 * MINUTE - SECOND, 10 * MINUTE, 30 * MINUTE, HOUR, HOUR + SECOND, DAY, 7 * DAY, 91 * DAY];

test("ASVS 2.3.1, 6.3.1, 6.5.1: one-time codes and their tokens follow the model under any sequence of steps", {
  timeout: 3_600_000,
}, async () => {
  await checkModel<OtpModel, Person>(
    [
      network.map(burst),
      fc
        .tuple(network, fc.constantFrom(MINUTE, 3 * MINUTE - SECOND, 3 * MINUTE))
        .map(([from, pause]) => signInTwice(from, pause)),
      network.map(request),
      fc.tuple(network, recent).map(([from, age]) => guessRight(from, age)),
      fc.tuple(network, fc.constantFrom(1, 1, 4, 5, 6)).map(([from, times]) => guessWrong(from, times)),
      fc
        .tuple(fc.constantFrom("register" as const, "login" as const), network, recent)
        .map(([step, from, age]) => enter(step, from, age)),
      fc.constantFrom(...pauses).map(wait),
      fc.constantFrom(...pauses, ...longPauses).map(wait),
      fc.constantFrom(0, 1, 1, 2).map(attack),
      fc.constantFrom(1, 2, 100).map(showOldHint),
    ],
    async () => {
      const person = { identifier: newEmail(), networks: [newIp(), newIp(), newIp()], hints: [] };
      const { keys } = await testEnv.KV.list({ prefix: "otp:" });
      for (const { name } of keys) await testEnv.KV.delete(name);
      await testEnv.DB.prepare("delete from network_guess_limits").run();
      return { model: newOtpModel(), real: person };
    },
    { share: 2, steps: 40 },
  );
});
