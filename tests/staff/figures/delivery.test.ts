import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { networkOf, newIp, requestCode } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { run } from "../../support/database.ts";
import { codeOf, documented, newStaff, newUser } from "../../support/kyc.ts";

const HOUR = 3_600_000;
/** A time of its own, so that no other codes lie in the hour. */
let era = Date.UTC(2043, 3, 1);
beforeEach(() => {
  era += 30 * 24 * HOUR;
  stopClock({ at: era });
});
afterEach(() => vi.useRealTimers());

test("shows what became of the last hour's codes, and who asked for most, without a whole number", async () => {
  const staff = await newStaff();
  vi.setSystemTime(era + 2 * HOUR);
  await run("delete from provider_breakers");
  await run(
    "insert into provider_breakers (provider, failures, opened_until, updated_at) values ('sparrow', 5, ?, 0)",
    Date.now() + 1_000,
  );
  await run(
    "insert or replace into sms_budget_days values (?, 50, 20, null, 3, 4)",
    new Date(Date.now() + 5.75 * HOUR).toISOString().slice(0, 10),
  );
  const ip = newIp();
  const numbers = ["+9779841000001", "+9779841000002", "+9779841000003", "+9779842000001"];
  for (const number of numbers) await requestCode(number, { ip });
  await requestCode(`delivery${era}@example.com`, { ip: newIp() });
  // Lags of 1, 2, 3 and 10 seconds.
  for (const [i, lag] of [1, 2, 3, 10].entries()) {
    await run("update otp_challenges set delivered_at = created_at + ? where identifier = ?", lag * 1_000, numbers[i]);
  }
  await run(
    "update otp_challenges set delivered_at = null, undeliverable_at = 1 where identifier = ?",
    `delivery${era}@example.com`,
  );
  const path = "/api/staff/delivery";
  const { body } = await documented("GET", path, { token: (await newStaff()).access });
  const { channels, providers, budget, ranges, networks } = body.data;
  expect(channels).toMatchObject([
    { channel: "sms", asked: 4, delivered: 4, undeliverable: 0, median_ms: 2_000, p95_ms: 10_000 },
    { channel: "email", asked: 1, delivered: 0, undeliverable: 1, median_ms: null, p95_ms: null },
  ]);
  expect(providers).toEqual([
    { provider: "sparrow", failures: 5, opened_until: new Date(Date.now() + 1_000).toISOString() },
  ]);
  expect(budget[0]).toEqual({
    channel: "sms",
    budget: 100_000,
    taken: 20 + 4,
    refused_by_reserve: 3,
    refused_by_spent: 4,
  });
  expect(ranges[0]).toEqual({ range: "+977984100xxxx", codes: 3 });
  expect(networks[0]).toEqual({ network: networkOf(ip), codes: 4 });
  expect(JSON.stringify(body)).not.toMatch(/984100000/);
  await run("delete from provider_breakers");
  expect(codeOf(await documented("GET", path, { token: staff.access }))).toEqual([401, "token_not_valid"]);
  expect(codeOf(await documented("GET", path, { token: (await newUser()).access }))).toEqual([
    403,
    "permission_denied",
  ]);
});
