import type { Deps } from "../platform/deps.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { findWallet, type WalletRow } from "./wallet.store.ts";

/** The caller's wallet and points. @throws AppError `token_not_valid` if the session has ended. */
export async function getWallet(deps: Deps, caller: AccessClaims): Promise<WalletRow> {
  const wallet = await findWallet(deps, caller);
  if (!wallet) throw sessionEnded();
  return wallet;
}
