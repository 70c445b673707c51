import { newCid } from "../../src/auth/otp/cid.ts";
import { buildDeps } from "../../src/build-deps.ts";
import { dayOf } from "../../src/nepal.ts";
import { currentSecret } from "../../src/platform/config/keyring.ts";
import { seal } from "../../src/platform/crypto.ts";
import { newPhone, testEnv } from "./client.ts";
import type { Sent } from "./queue.ts";

const today = () => dayOf(Date.now());

/** Today's row of the SMS budget; zeros if there is none. */
export async function readBudget() {
  const row = await testEnv.DB.prepare("select * from sms_budget_days where day = ?").bind(today()).first();
  const { taken = 0, refused_by_reserve: refusedByReserve = 0, refused_by_spent: refusedBySpent = 0 } = row ?? {};
  return { taken, refusedByReserve, refusedBySpent } as {
    taken: number;
    refusedByReserve: number;
    refusedBySpent: number;
  };
}

/** Deletes the hourly counters of messages to identifiers without an account. */
export async function resetHourlyCounters(): Promise<void> {
  await testEnv.DB.prepare("delete from sms_send_limits where scope = 'open_hour'").run();
}

/** Sets today's row to `taken` calls of a provider, with no refusals, and deletes the hourly counters. */
export async function setTaken(taken: number): Promise<void> {
  await resetHourlyCounters();
  await testEnv.DB.prepare("insert or replace into sms_budget_days values (?, 0, ?, null, 0, 0)")
    .bind(today(), taken)
    .run();
}

/** Inserts undelivered SMS codes, all to `to` or each to a new number, and returns their messages. */
export const insertSmsCodes = (count: number, to?: string) => insertCodes(count, () => to ?? newPhone());

/** Inserts undelivered codes, each to the next identifier, and returns their messages. */
export async function insertCodes(count: number, nextIdentifier: () => string): Promise<Sent[]> {
  const { keyring, randomBytes } = await buildDeps(testEnv, { waitUntil: () => {} }, "");
  const now = Date.now();
  const codes = await Promise.all(
    Array.from({ length: count }, async () => {
      const cid = newCid({ now: () => now, randomBytes });
      return {
        cid,
        to: nextIdentifier(),
        sealed: await seal(currentSecret(keyring).sealing, randomBytes, "123456", cid),
      };
    }),
  );
  await testEnv.DB.prepare(
    `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, sealed_code,
        locale, claimed_by, claimed_until, send_attempts, publish_at, created_at, expires_at, attempts_familiar,
        attempts_other)
      select value ->> 'cid', value ->> 'to', '192.0.2.0/24', 1, 'other', '', ?2, value ->> 'sealed', 'en', 'request', 0, 0, ?3, ?3,
        ?3 + 300000, 0, 0 from json_each(?1)`,
  )
    .bind(JSON.stringify(codes), keyring.currentSecretId, now)
    .run();
  return codes.map(({ cid, to }) => ({
    event_id: cid,
    type: "otp.requested",
    user_id: null,
    payload: JSON.stringify({ cid, to, created_at: now, expires_at: now + 300_000 }),
    created_at: now,
  }));
}
