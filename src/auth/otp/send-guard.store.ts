import { type SQL, sql } from "drizzle-orm";
import { countInWindows } from "../../delivery/send-window.store.ts";
import type { Deps } from "../../platform/deps.ts";
import { widerNetworksOf } from "../../platform/http/client.ts";
import type { Identifier } from "../../users/identifier.ts";
import { isFamiliar, type OtpRequester } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

const { perSmsNetwork, perEmailNetwork, perSmsPrefix, perSubnet } = otpLimits.send;

/** The range of numbers that a phone number lies in: pumping of paid messages walks through ranges. */
export function prefixOf(phone: string): string {
  return phone.slice(0, -perSmsPrefix.hiddenDigits);
}

interface Counter {
  scope: "network" | "prefix" | "email_network";
  key: string;
  limit: { count: number; windowMs: number };
  /** The network within this one whose own counter bounds what it adds here. */
  within?: string;
}

/** The counters of one code: its network, the wider networks around an IPv6 one, and the range of a phone number. */
function countersOf(identifier: Identifier, { network }: OtpRequester): Counter[] {
  const isPhone = identifier.kind === "phone";
  const scope = isPhone ? "network" : "email_network";
  const limit = isPhone ? perSmsNetwork : perEmailNetwork;
  const wider = widerNetworksOf(network).map((key) => ({ scope, key, limit, within: network }) as const);
  const range = { scope: "prefix", key: prefixOf(identifier.value), limit: perSmsPrefix } as const;
  return [{ scope, key: network, limit }, ...wider, ...(isPhone ? [range] : [])];
}

/**
 * When the network, the networks around it and the range of the number may be sent another code (epoch ms, or an instant
 * that has passed); 0 from a network that is familiar to the identifier, so that strangers lock no owner out.
 */
export function heldUntil(identifier: Identifier, party: OtpRequester, now: number): SQL<number> {
  const counters = countersOf(identifier, party).map(({ scope, key, limit }) => [scope, key, limit.count]);
  return sql`case when ${isFamiliar(party, now)} then 0 else coalesce((select max(l.window_ends_at)
    from json_each(${JSON.stringify(counters)}) c cross join sms_send_limits l
    on l.scope = c.value ->> 0 and l.key = c.value ->> 1 and l.sends >= c.value ->> 2), 0) end`;
}

/**
 * The statement that counts a code where `condition` holds. A /64 adds to the /56 and /48 around it no more than
 * `perSubnet` in its own window: many subscribers together fill a wide network, one of them alone does not.
 */
export function countSend(deps: Pick<Deps, "db" | "now">, identifier: Identifier, party: OtpRequester, condition: SQL) {
  const now = deps.now();
  const rows = countersOf(identifier, party).map(({ scope, key, limit, within = null }) => [
    scope,
    key,
    now + limit.windowMs,
    within,
  ]);
  return countInWindows(
    deps,
    { scope: sql`c.value ->> 0`, key: sql`c.value ->> 1`, windowEndsAt: sql`c.value ->> 2` },
    sql`from json_each(${JSON.stringify(rows)}) c where ${condition} and not exists (select 1 from sms_send_limits l
      where l.scope = c.value ->> 0 and l.key = c.value ->> 3 and l.window_ends_at > ${now} and l.sends >= ${perSubnet})`,
  );
}
