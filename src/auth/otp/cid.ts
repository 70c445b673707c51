import { type SQL, sql } from "drizzle-orm";
import { randomId } from "../../platform/crypto.ts";
import type { Value } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";

/**
 * A new challenge id: its time in milliseconds as 12 hexadecimal digits, then 128 random bits in base64url. Ids sort by
 * time, so the codes since a given time are a range of the primary key and, per identifier or mailbox, of the indexes.
 */
export function newCid(deps: Pick<Deps, "now" | "randomBytes">): string {
  return firstCidAt(deps.now()) + randomId(deps.randomBytes);
}

/** Smallest challenge id of the given time. */
export function firstCidAt(instant: number): string {
  return instant.toString(16).padStart(12, "0");
}

/** The row of `otp_challenges` was created after this time. */
export function isCreatedAfter(instant: Value<number>): SQL {
  return sql`cid > printf('%012x', ${instant} + 1)`;
}
