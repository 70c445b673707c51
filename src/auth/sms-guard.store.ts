import { type SQL, sql } from "drizzle-orm";
import { smsSendLimits } from "../db/sms-schema.ts";
import { insertFrom } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import type { Identifier } from "../users/identifier.ts";
import { isFamiliar, type Party } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

const { perSmsNetwork, perSmsPrefix } = otpLimits.send;

/** The range of numbers that a phone number lies in: pumping of paid messages walks through ranges. */
export function prefixOf(phone: string): string {
  return phone.slice(0, -perSmsPrefix.hiddenDigits);
}

/**
 * The instant from which the network, and the range of the number, may be sent another code by SMS; 0 for e-mail, and
 * from a network that is familiar to the number, so that strangers lock no owner out.
 */
export function smsHeldUntil(identifier: Identifier, party: Party, now: number): SQL<number> {
  if (identifier.kind === "email") return sql`0`;
  const fullUntil = (scope: "network" | "prefix", key: string, count: number) =>
    sql`coalesce((select window_ends_at from sms_send_limits
      where scope = ${sql.raw(`'${scope}'`)} and key = ${key} and sends >= ${sql.raw(String(count))}), 0)`;
  return sql`case when ${isFamiliar(party, now)} then 0 else max(
    ${fullUntil("network", party.network, perSmsNetwork.count)},
    ${fullUntil("prefix", prefixOf(party.identifier), perSmsPrefix.count)}) end`;
}

/** The statement that counts a code by SMS against its network and its number's range; none for e-mail. */
export function countSmsSend(deps: Pick<Deps, "db" | "now">, identifier: Identifier, party: Party, condition: SQL) {
  if (identifier.kind === "email") return undefined;
  const now = deps.now();
  const windows = [
    ["network", party.network, now + perSmsNetwork.windowMs],
    ["prefix", prefixOf(party.identifier), now + perSmsPrefix.windowMs],
  ];
  const isOver = sql`${smsSendLimits.windowEndsAt} <= ${now}`;
  return insertFrom(
    deps,
    smsSendLimits,
    { scope: sql`value ->> 0`, key: sql`value ->> 1`, windowEndsAt: sql`value ->> 2`, sends: 1 },
    sql`from json_each(${JSON.stringify(windows)}) where ${condition}`,
  ).onConflictDoUpdate({
    target: [smsSendLimits.scope, smsSendLimits.key],
    set: {
      sends: sql`case when ${isOver} then 1 else ${smsSendLimits.sends} + 1 end`,
      windowEndsAt: sql`case when ${isOver} then excluded.window_ends_at else ${smsSendLimits.windowEndsAt} end`,
    },
  });
}
