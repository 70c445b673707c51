import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { call, newIp, newPhone, requestCode } from "../support/client.ts";
import { count } from "../support/database.ts";
import {
  CLIENTS,
  distinct,
  headersOf,
  noServerErrors,
  type RaceSetting,
  simulationOf,
  successes,
  times,
  Verdict,
} from "./race.ts";

const REQUEST = "/api/auth/otp/request";
const VERIFY = "/api/auth/otp/verify";

/** Requests a code and also stores it in KV for the naive variants; the Worker does not read that entry. */
async function startWithCode(ip: string) {
  const identifier = newPhone();
  const otp = await requestCode(identifier, { ip });
  await env.KV.put(`naive:${identifier}`, otp);
  return { identifier, otp };
}

function wrongCodes(right: string, howMany: number): string[] {
  return Array.from({ length: howMany }, (_, i) => String((Number(right) + 1 + i) % 1_000_000).padStart(6, "0"));
}

/** The attempts that were charged to the identifier's codes; nothing is compared without a charge. */
async function attemptsPaid(identifier: string): Promise<number> {
  const paid = await env.DB.prepare(
    "select sum(attempts_familiar + attempts_other) as n from otp_challenges where identifier = ?",
  )
    .bind(identifier)
    .first<number>("n");
  return paid ?? 0;
}

/** R1: many right codes at once give one verification token. */
export async function rightCodes(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const ip = newIp();
  const { identifier, otp } = await startWithCode(ip);
  const simulation = simulationOf(setting);
  const options = { ip, json: { identifier, otp }, headers: headersOf(setting) };
  const results = await simulation.race(times(CLIENTS, VERIFY, options));
  noServerErrors(verdict, results);
  const tokens = successes(results).map(({ body }) => body.data.verification_token);
  verdict.equal("verification tokens given", distinct(tokens), 1);
  verdict.equal(
    "verification tokens made",
    await count("from otp_challenges where identifier = ? and consumed_network is not null", identifier),
    1,
  );
  if (setting.mode !== "one idempotency key") verdict.equal("successes", tokens.length, 1);
  else {
    const again = await call("POST", VERIFY, options);
    verdict.equal("token of a repeated call", again.body.data?.verification_token, tokens[0]);
  }
  return verdict;
}

/** R2: wrong codes across two sends: five attempts per code, and none while locked. */
export async function wrongCodesOverResends(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const ip = newIp();
  const { identifier, otp } = await startWithCode(ip);
  const simulation = simulationOf(setting);
  const guess = (code: string, from: string) => ({
    method: "POST",
    path: VERIFY,
    options: { ip: from, json: { identifier, otp: code }, headers: headersOf(setting) },
  });
  const results = await simulation.race(wrongCodes(otp, CLIENTS).map((code, i) => guess(code, i % 2 ? ip : newIp())));
  noServerErrors(verdict, results);
  verdict.equal("tokens from wrong codes", successes(results).length, 0);
  verdict.atMost("attempts at the first code", await attemptsPaid(identifier), 5);
  vi.setSystemTime(Date.now() + 61_000);
  const second = await requestCode(identifier, { ip: newIp() });
  await env.KV.put(`naive:${identifier}`, second);
  await simulation.race(wrongCodes(second, CLIENTS).map((code, i) => guess(code, i % 2 ? ip : newIp())));
  const paid = await attemptsPaid(identifier);
  verdict.atMost("attempts at both codes", paid, 10);
  const streak = await env.DB.prepare("select streak from otp_class_guards where identifier = ?")
    .bind(identifier)
    .first("streak");
  if (!setting.handler) verdict.equal("failures in a row on record", streak, paid);
  return verdict;
}

/** R3: many requests at once send one message. */
export async function requests(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const identifier = newPhone();
  const ip = newIp();
  const simulation = simulationOf(setting);
  const options = { ip, json: { identifier }, headers: headersOf(setting) };
  const results = await simulation.race(times(CLIENTS, REQUEST, options));
  noServerErrors(verdict, results);
  const sent = () => count("from local_outbox where recipient = ?", identifier);
  verdict.equal("messages sent", await sent(), 1);
  const answers = successes(results).map(({ body }) => JSON.stringify(body.data));
  verdict.equal("different answers", distinct(answers), 1);
  if (setting.mode !== "one idempotency key") verdict.equal("successes", answers.length, 1);
  else {
    const again = await call("POST", REQUEST, options);
    verdict.equal("answer to a repeated call", JSON.stringify(again.body.data), answers[0]);
  }
  vi.setSystemTime(Date.now() + 61_000);
  await simulation.tick(3);
  await simulation.deliver(3);
  verdict.equal("messages sent, after the cron", await sent(), 1);
  return verdict;
}

/** R4: right codes and requests at once: one token and at most one new code, which does not displace the old one. */
export async function requestsBesideGuesses(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const ip = newIp();
  const { identifier, otp } = await startWithCode(ip);
  vi.setSystemTime(Date.now() + 61_000);
  const simulation = simulationOf(setting);
  const guesses = times(CLIENTS / 2, VERIFY, { ip, json: { identifier, otp }, headers: headersOf(setting, "verify") });
  const sends = times(CLIENTS / 2, REQUEST, { ip, json: { identifier }, headers: headersOf(setting, "request") });
  const results = await simulation.race(guesses.flatMap((guess, i) => [guess, ...sends.slice(i, i + 1)]));
  noServerErrors(verdict, results);
  const tokens = successes(results).flatMap(({ body }) => body.data.verification_token ?? []);
  verdict.equal("verification tokens given", distinct(tokens), 1);
  verdict.equal(
    "verification tokens made",
    await count("from otp_challenges where identifier = ? and consumed_network is not null", identifier),
    1,
  );
  // The new code is not sent if an attempt with the old one succeeds first.
  verdict.atMost("messages sent", await count("from local_outbox where recipient = ?", identifier), 2);
  return verdict;
}
