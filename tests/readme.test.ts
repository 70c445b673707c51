import { expect, it } from "vitest";
import { app } from "../src/app.ts";
import { registrationLimit } from "../src/auth/device/device.store.ts";
import { otpLimits } from "../src/auth/otp/otp-limits.ts";
import { auditedWritesPerDay } from "../src/platform/data/audited-writes.ts";
import { writesPerMinute } from "../src/platform/http/write-limit.ts";
import { jobs } from "../src/tasks/engine/job-registry.ts";
import { tasks } from "../src/tasks/engine/registry.ts";
import { begunUploadLimit, uploadLimit } from "../src/users/kyc/kyc-upload.store.ts";
import { table } from "./support/readme.ts";
import { describeRetention } from "./support/retention.ts";

it("states every limit as it runs (ASVS 6.1.1)", () => {
  const { send, lock, guessesPerNetwork, triesPerCode, ttlMs } = otpLimits;
  const running = {
    "otp.tries": { count: triesPerCode, windowMs: ttlMs },
    "otp.send.network": send.perNetwork,
    "otp.send.class": send.perClass,
    "otp.send.day": send.perClassDaily,
    "otp.sms.network": send.perSmsNetwork,
    "otp.email.network": send.perEmailNetwork,
    "otp.email.mailbox": send.perClass,
    "otp.email.mailbox.day": send.perClassDaily,
    "otp.sms.prefix": send.perSmsPrefix,
    "otp.lock.network": lock.perNetwork,
    "otp.lock.class": lock.perClass,
    "otp.lock.closed": { count: lock.closedAfter, windowMs: lock.forgottenAfterMs },
    "otp.guesses": guessesPerNetwork,
    "otp.guesses.own": otpLimits.ownCodesPerNetwork,
    "kyc.uploads": uploadLimit,
    "kyc.begun": begunUploadLimit,
    "writes.minute": writesPerMinute,
    "writes.audited": auditedWritesPerDay,
    "devices.registrations": registrationLimit,
  };
  const stated = table("Limits").map(([name, count, seconds]) => [name, Number(count), Number(seconds)]);
  expect(stated).toEqual(Object.entries(running).map(([name, { count, windowMs }]) => [name, count, windowMs / 1000]));
});

it("lists every route that is mounted, and no other (ASVS 6.1.3)", () => {
  const unlisted = ["/docs", "/dev/outbox", "/api/docs/:file"];
  const mounted = app.routes
    .filter(({ method, path }) => method !== "ALL" && !unlisted.includes(path))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)(\{.+?\})?/g, "{$1}")}`);
  const listed = table("Routes").map(([route]) => route);
  expect([...new Set(mounted)].sort()).toEqual([...listed].sort());
});

it("lists every task and job that is registered, and no other", () => {
  const registered = [...tasks.map(({ name }) => name), ...jobs.map(({ name }) => name)];
  expect(table("Tasks").map(([name]) => name)).toEqual(registered);
});

it("states how long each table keeps its rows, as the jobs delete them", () => {
  expect(table("Retention")).toEqual(describeRetention());
});
