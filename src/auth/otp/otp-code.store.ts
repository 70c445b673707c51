import { withDeadline } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { describeError } from "../../platform/log.ts";
import { otpLimits } from "./otp-limits.ts";

const codeKey = (cid: string) => `otp:${cid}`;
/** How long an attempt waits for KV before it uses the hash in D1, in milliseconds. */
const KV_DEADLINE_MS = 1_000;

/** Stores the code's hash in KV, where attempts look first. If that fails, attempts use the copy in D1. */
export async function storeCodeHash(deps: Pick<Deps, "kv" | "log">, cid: string, codeHash: string): Promise<void> {
  try {
    const put = deps.kv.put(codeKey(cid), codeHash, { expirationTtl: otpLimits.ttlMs / 1000 });
    await withDeadline(put, KV_DEADLINE_MS);
  } catch (error) {
    deps.log.warn("code_hash_not_stored", { reason: describeError(error) });
  }
}

/** The hashes of several codes, read with one call to KV. Codes that KV does not have yet are missing from the map. */
export async function findCodeHashes(deps: Pick<Deps, "kv" | "log">, cids: string[]): Promise<Map<string, string>> {
  try {
    const found = await withDeadline(deps.kv.get(cids.map(codeKey)), KV_DEADLINE_MS);
    return new Map(
      cids.flatMap((cid) => {
        const hash = found.get(codeKey(cid));
        return hash === null || hash === undefined ? [] : [[cid, hash] as const];
      }),
    );
  } catch (error) {
    deps.log.warn("code_hashes_unreadable", { reason: describeError(error) });
    return new Map();
  }
}

/** Removes the codes' hashes. @throws when KV fails. */
export async function forgetCodeHashes(deps: Pick<Deps, "kv">, cids: string[]): Promise<void> {
  for (const cid of cids) await withDeadline(deps.kv.delete(codeKey(cid)));
}
