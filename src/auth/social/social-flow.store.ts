import { socialStates } from "../../db/social-schema.ts";
import { runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import {
  type CredentialRow,
  insertCode,
  invalidateCode,
  type NewCode,
  selectCredential,
} from "./social-credential.store.ts";

type FlowDeps = Pick<Deps, "db" | "now" | "invocationId" | "log">;

/** Consumes a flow's state; false if it was used before. After a lost response the person has to start again. */
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

/** Stores a one-time code. */
export async function storeCode(deps: FlowDeps, code: NewCode): Promise<void> {
  await runBatch(deps, { stored: insertCode(deps, code) });
}

/** The row of a one-time code or of a used ID token; undefined for an unknown code or an unused token. */
export async function findCredentialRow(deps: FlowDeps, codeHash: string): Promise<CredentialRow | undefined> {
  const { found } = await runBatch(deps, { found: selectCredential(deps, codeHash) });
  return found[0];
}

/** Invalidates a code if it is unused. */
export async function invalidateUnusedCode(deps: FlowDeps, codeHash: string): Promise<void> {
  await runBatch(deps, { burned: invalidateCode(deps, codeHash) });
}
