import { socialStates } from "../../db/social-schema.ts";
import { runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { findProof, insertCode, invalidateCode, type NewCode, type ProofRow } from "./social-proof.store.ts";

type FlowDeps = Pick<Deps, "db" | "now" | "invocationId" | "log">;

/** Uses a flow's state up; false when it was used before. After a lost answer the flow has to begin again. */
export async function consumeState(deps: FlowDeps, stateHash: string, expiresAt: number): Promise<boolean> {
  const { consumed } = await runBatch(deps, {
    consumed: deps.db
      .insert(socialStates)
      .values({ stateHash, expiresAt })
      .onConflictDoNothing()
      .returning({ stateHash: socialStates.stateHash }),
  });
  return consumed.length > 0;
}

/** Keeps a one-time code. */
export async function storeCode(deps: FlowDeps, code: NewCode): Promise<void> {
  await runBatch(deps, { stored: insertCode(deps, code) });
}

/** What is known of a code or an ID token; undefined where it is none of ours, or an ID token is unused. */
export async function findProofRow(deps: FlowDeps, codeHash: string): Promise<ProofRow | undefined> {
  const { found } = await runBatch(deps, { found: findProof(deps, codeHash) });
  return found[0];
}

/** Kills a code that is unused still. */
export async function invalidateUnusedCode(deps: FlowDeps, codeHash: string): Promise<void> {
  await runBatch(deps, { burned: invalidateCode(deps, codeHash) });
}
