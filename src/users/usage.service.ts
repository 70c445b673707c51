import type { Deps } from "../platform/deps.ts";
import { isoTime } from "../platform/time.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { findUsage, findUsageAndWallet, type UsageRow } from "./usage.store.ts";
import { viewUsage, viewWallet } from "./views.ts";

/** The caller's usage totals. @throws AppError `token_not_valid` if the session has ended. */
export async function getUserAnalytics(deps: Deps, caller: AccessClaims): Promise<UsageRow> {
  const usage = await findUsage(deps, caller);
  if (!usage) throw sessionEnded();
  return usage;
}

/**
 * The analytics report that staff see, current when it is made: usage, wallet and points. Undefined if there is no such
 * user.
 */
export async function buildAnalyticsReport(deps: Pick<Deps, "db" | "log" | "now">, userId: string) {
  const generatedAt = isoTime(deps.now());
  const found = await findUsageAndWallet(deps, userId);
  if (!found) return undefined;
  const { points, ...wallet } = viewWallet(found.wallet);
  return { user_id: userId, usage: viewUsage(found.usage), wallet, points, generated_at: generatedAt };
}
