import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { type CalledProvider, recipientKey, recordCall, reportOpening } from "./breaker.store.ts";
import type { DeliveryRecord, DeliveryState, Settlement } from "./delivery-record.ts";
import type { Recipient } from "./reserve-call.store.ts";

/**
 * Records in one batch how an attempt ended and what it says about the provider that was called last. If the batch
 * fails, the outcome is recorded alone: the breaker misses a call, and the message is not sent again.
 *
 * @throws AppError `service_unavailable` if that fails too. The claim then ends by itself, and the attempt counts as
 *   one that may have reached the recipient.
 */
export async function settleCall(
  deps: Pick<Deps, "db" | "now" | "log">,
  record: DeliveryRecord<DeliveryState>,
  recipient: Recipient,
  claimIds: string[],
  settlement: Settlement,
  called: CalledProvider | undefined,
): Promise<void> {
  const settled = record.settle(claimIds, settlement);
  if (!called) return void (await runBatch(deps, { settled }));
  const breaker = recordCall(deps, called, await recipientKey(recipient));
  try {
    reportOpening(deps, called, (await runBatch(deps, { settled, breaker })).breaker);
  } catch {
    await runBatch(deps, { settled });
  }
}
