import { and, desc, eq, gt, isNull, sql } from "drizzle-orm";
import { base64url } from "jose";
import { z } from "zod";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { keyedHash } from "../../platform/crypto.ts";
import { literal, withDeadline } from "../../platform/data/database.ts";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import { describeError } from "../../platform/log.ts";
import { isCreatedAfter } from "./cid.ts";
import { otpLimits } from "./otp-limits.ts";

// KV lists the live codes of an identifier, so that an attempt can compute their hashes before its only trip to D1. The
// list is a hint: D1 decides which codes are live, and returns them to an attempt whose hint is stale, missing or
// unreadable.

/** What an attempt must know of a code to compute the hash of a guess. */
export interface LiveCode {
  cid: string;
  secretId: string;
}

/** How long an attempt waits for KV, in milliseconds. */
const KV_DEADLINE_MS = 1_000;

const storedCodes = z.array(z.object({ cid: z.string(), secretId: z.string() }));

/** The KV key of an identifier's live codes. It does not reveal the identifier. */
export async function liveCodesKey(deps: Pick<Deps, "keyring">, identifier: string): Promise<string> {
  return `otp:${base64url.encode(await keyedHash(deps.keyring.lookup, "live-codes", identifier))}`;
}

/** Selects the codes that an attempt is compared with: the newest ones neither expired nor consumed, newest first. */
export function selectLiveCodes(deps: Pick<BuilderDeps, "db" | "now">, identifier: Value<string>) {
  const now = deps.now();
  return deps.db
    .select({ cid: otpChallenges.cid, secretId: otpChallenges.secretId })
    .from(otpChallenges)
    .where(
      and(
        eq(otpChallenges.identifier, identifier),
        // Older codes cannot be live; the bound keeps the number of rows read small.
        isCreatedAfter(sql`${now} - ${literal(otpLimits.ttlMs)}`),
        gt(otpChallenges.expiresAt, now),
        isNull(otpChallenges.consumedBy),
      ),
    )
    .orderBy(desc(otpChallenges.cid))
    .limit(otpLimits.liveCodes);
}

/** Stores the hint until the newest code expires. If that fails, attempts take a second trip to D1. */
export async function storeLiveCodes(deps: Pick<Deps, "kv" | "log">, key: string, codes: LiveCode[]): Promise<void> {
  try {
    const put = deps.kv.put(key, JSON.stringify(codes), { expirationTtl: otpLimits.ttlMs / 1000 });
    await withDeadline(put, KV_DEADLINE_MS);
  } catch (error) {
    deps.log.warn("live_codes_not_stored", { reason: describeError(error) });
  }
}

/** The hint, which may be stale; empty if KV has none or fails. */
export async function findLiveCodes(
  deps: Pick<Deps, "keyring" | "kv" | "log">,
  identifier: string,
): Promise<LiveCode[]> {
  try {
    const found = await withDeadline(deps.kv.get(await liveCodesKey(deps, identifier)), KV_DEADLINE_MS);
    return found === null ? [] : storedCodes.parse(JSON.parse(found)).slice(0, otpLimits.liveCodes);
  } catch (error) {
    deps.log.warn("live_codes_unreadable", { reason: describeError(error) });
    return [];
  }
}

/** Removes the hints under these keys. @throws when KV fails. */
export async function forgetLiveCodes(deps: Pick<Deps, "kv">, keys: readonly string[]): Promise<void> {
  for (const key of keys) await withDeadline(deps.kv.delete(key));
}
