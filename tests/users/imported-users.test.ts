import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { addTotals, insertUsers, newImportRun, noTotals, totalsOf } from "../../scripts/users/insert-users.ts";
import { readUserRecord } from "../../scripts/users/user-record.ts";
import { call, logIn, newPhone, verify } from "../support/client.ts";
import { rows } from "../support/database.ts";
import { unbalancedUsers } from "../support/platform.ts";

/** Imports a user with this number, and returns the id. */
async function importUser(phone_number: string, more: object = {}): Promise<string> {
  const line = {
    legacy_id: phone_number,
    username: `old${phone_number.slice(1)}`,
    phone_number,
    phone_verified: true,
    date_joined: "2024-05-01T08:00:00Z",
    wallet_balance: "120.50",
    current_points: 30,
    total_points: 80,
    ...more,
  };
  const { user, errors } = readUserRecord(JSON.stringify(line), { smsCountries: ["NP"], now: Date.now() });
  if (!user) throw new Error(errors?.join());
  const imported = { ...user, referral_code: `OLD${phone_number.slice(-7)}` };
  const run = newImportRun(Date.now());
  await env.DB.batch(insertUsers([imported], run).map((statement) => env.DB.prepare(statement)));
  const wanted = noTotals();
  addTotals(wanted, [imported]);
  const [found] = await rows(totalsOf(run));
  const { users, balanceMinor: balance, currentPoints: current, totalPoints: total } = wanted;
  expect(found).toEqual({ users, balance, current, total });
  return user.id;
}

it("an imported user signs in, keeps balance and points, and earns no signup bonus", async () => {
  const phone = newPhone();
  const id = await importUser(phone);
  const user = await logIn(phone);
  expect(user.userId).toBe(id);
  const wallet = await call("GET", "/api/users/wallet", { token: user.access });
  expect(wallet.body.data).toMatchObject({ balance: "120.50", currency: "NPR" });
  const [points] = await rows("select current_points, total_points from points where user_id = ?", id);
  expect(points).toEqual({ current_points: 30, total_points: 80 });
  expect(await unbalancedUsers([id])).toEqual([]);
});

it("an imported user whom staff banned cannot sign in, and one who was inactive is reactivated", async () => {
  const [banned, asleep] = [newPhone(), newPhone()];
  await importUser(banned, { status: "BANNED" });
  await importUser(asleep, { status: "INACTIVE" });
  const json = { identifier: banned, verification_token: await verify(banned) };
  expect(await call("POST", "/api/auth/login", { json })).toMatchObject({
    status: 403,
    body: { error: { code: "account_inactive" } },
  });
  const { access } = await logIn(asleep);
  expect((await call("GET", "/api/auth/me", { token: access })).status).toBe(200);
});
