import { type SQL, sql } from "drizzle-orm";
import { countInWindows } from "../../delivery/send-window.store.ts";
import { literal } from "../../platform/data/database.ts";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import { widerNetworksOf } from "../../platform/http/client.ts";
import type { Identifier } from "../../users/identifier.ts";
import { isKnownNetwork, type OtpRequester } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

const { perSmsNetwork, perEmailNetwork, perSmsPrefix, perSubnet } = otpLimits.send;

/** The number range of a phone number, without its last digits: SMS pumping sends to many numbers of one range. */
export function prefixOf(phone: string): string {
  return phone.slice(0, -perSmsPrefix.hiddenDigits);
}

interface Counter {
  scope: "network" | "prefix" | "email_network";
  key: string;
  limit: { count: number; windowMs: number };
  /** The client's network, if `key` is a wider one. Its own counter decides whether it still adds to this counter. */
  within?: string;
}

/** The counters of one code: its network, for IPv6 the wider networks that contain it, and a phone number's range. */
function countersOf(identifier: Identifier, network: string): Counter[] {
  const isPhone = identifier.kind === "phone";
  const scope = isPhone ? "network" : "email_network";
  const limit = isPhone ? perSmsNetwork : perEmailNetwork;
  const wider = widerNetworksOf(network).map((key) => ({ scope, key, limit, within: network }) as const);
  const range = { scope: "prefix", key: prefixOf(identifier.value), limit: perSmsPrefix } as const;
  return [{ scope, key: network, limit }, ...wider, ...(isPhone ? [range] : [])];
}

/**
 * The counters of one code as JSON: `[scope, key, limit, end of a window that starts now, within]` each, for
 * `sendsBlockedUntil` and `countSend`.
 */
export function sendCounters(identifier: Identifier, network: string, now: number): string {
  return JSON.stringify(
    countersOf(identifier, network).map(({ scope, key, limit, within = null }) => [
      ...[scope, key, limit.count, now + limit.windowMs, within],
    ]),
  );
}

/**
 * When the limits of network, wider networks and number range allow another code (epoch ms, possibly in the past). 0
 * for a network that is known to the identifier, so that strangers cannot block an owner.
 *
 * @param counters as `sendCounters` returns them.
 */
export function sendsBlockedUntil(requester: OtpRequester, now: Value<number>, counters: Value<string>): SQL<number> {
  return sql`case when ${isKnownNetwork(requester, now)} then 0 else coalesce((select max(l.window_ends_at)
    from json_each(${counters}) c cross join sms_send_limits l
    on l.scope = c.value ->> 0 and l.key = c.value ->> 1 and l.sends >= c.value ->> 2), 0) end`;
}

/** The position of the network's next code among those that it requested in the current short window, from 1. */
export function nextNetworkRank({ network }: Pick<OtpRequester, "network">, now: Value<number>): SQL<number> {
  return sql`(select 1 + coalesce(sum(recent_sends), 0) from sms_send_limits
    where scope in ('network', 'email_network') and key = ${network} and recent_ends_at > ${now})`;
}

/**
 * Counts a code if `condition` holds. A /64 adds at most `perSubnet` per window to its /56 and /48, so that only many
 * subscribers together can exhaust a wide network.
 *
 * @param counters as `sendCounters` returns them.
 */
export function countSend(deps: Pick<BuilderDeps, "db" | "now">, counters: Value<string>, condition: SQL) {
  return countInWindows(
    deps,
    { scope: sql`c.value ->> 0`, key: sql`c.value ->> 1`, windowEndsAt: sql`c.value ->> 3` },
    sql`from json_each(${counters}) c where ${condition} and not exists (select 1 from sms_send_limits l
      where l.scope = c.value ->> 0 and l.key = c.value ->> 4 and l.window_ends_at > ${deps.now()}
      and l.sends >= ${literal(perSubnet)})`,
  );
}
