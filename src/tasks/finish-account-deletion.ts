import { z } from "zod";
import { eraseHistory, hasUser, type Rest, wholeHistory } from "../auth/deletion/account-history.store.ts";
import { forgetLiveCodes } from "../auth/otp/live-codes.store.ts";
import { runBatch, withDeadline } from "../platform/data/database.ts";
import { processOnce } from "../platform/data/once.ts";
import { recordEvent } from "../platform/data/outbox.ts";
import { publish } from "../platform/data/publish.ts";
import { hasQueriesLeft } from "../platform/data/query-count.ts";
import type { Deps } from "../platform/deps.ts";
import { forgetDenials } from "../sessions/denylist.store.ts";
import { recordDeletedAccount } from "../staff/directory/deleted-accounts.store.ts";
import type { Task, TaskEvent } from "./engine/task.ts";

const payloadSchema = z.object({
  user_id: z.string().min(1),
  session_ids: z.array(z.string()),
  live_codes_keys: z.array(z.string()),
  /** Remaining parts of the history; absent in the first message. */
  rest: z.record(z.string(), z.string()).optional(),
});

const NAME = "finish_account_deletion";
/**
 * Maximum number of statements per message for erasing history: ten messages of a batch stay below D1's limit of 1,000
 * queries. With jobs in the same batch, a message ends earlier.
 */
const STATEMENTS_PER_MESSAGE = 60;
/** Pause after each transaction as a multiple of its duration, so that the primary has time for other work. */
const PAUSE_FACTOR = 3;
const MAX_PAUSE_MS = 2_000;

const pause = async (milliseconds: number) => {
  if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
};

/**
 * Erases the remaining data of a deleted account: first it records the deletion for a later restore and removes KV
 * entries and R2 objects, then it erases the history in small transactions. Each message does a bounded part and
 * records the next message; each part is safe to repeat.
 */
export const finishAccountDeletion: Task = {
  name: NAME,
  types: ["account.deleted"],
  async run(deps, event) {
    const {
      user_id: userId,
      session_ids: sessionIds,
      live_codes_keys: liveCodesKeys,
      rest: given,
    } = payloadSchema.parse(event.payload);
    let files = 0;
    if (!given) {
      await recordDeletedAccount(deps, userId, event.createdAt);
      // A restore has brought the user back. The record lets `reapply_account_deletions` delete the account again.
      if (await hasUser(deps, userId)) return { done: true, note: "a restore has undone the deletion" };
      await Promise.all([forgetLiveCodes(deps, liveCodesKeys), forgetDenials(deps, sessionIds)]);
      files = await removeFiles(deps, `kyc/${userId}/`);
    }
    let rest: Rest = given ?? wholeHistory;
    const size = () => Object.keys(rest).length;
    for (let spent = 0; size() > 0 && spent + size() <= STATEMENTS_PER_MESSAGE && hasQueriesLeft(deps); ) {
      spent += size();
      const startedAt = deps.now();
      rest = await eraseHistory(deps, userId, rest);
      await pause(Math.min(MAX_PAUSE_MS, PAUSE_FACTOR * (deps.now() - startedAt)));
    }
    if (size() > 0) await continueLater(deps, event, userId, rest);
    return { done: true, note: `${files} files, ${size() > 0 ? `left: ${Object.keys(rest).join(", ")}` : "finished"}` };
  },
};

/** Records and sends the message that erases the rest; recorded once even if this message is redelivered. */
async function continueLater(deps: Deps, event: TaskEvent, userId: string, rest: Rest): Promise<void> {
  const { mark, isFirst } = processOnce(deps, NAME, event.id);
  const payload = JSON.stringify({ user_id: userId, session_ids: [], live_codes_keys: [], rest });
  const { next } = await runBatch(deps, {
    mark,
    next: recordEvent(deps, { type: event.type, userId, payload, queue: "tasks" }, isFirst),
  });
  await publish(deps, next);
}

/** Removes all objects under the prefix. One listing returns at most 1,000 keys, which is what one delete accepts. */
async function removeFiles(deps: Pick<Deps, "bucket">, prefix: string): Promise<number> {
  let removed = 0;
  for (;;) {
    const { objects } = await withDeadline(deps.bucket.list({ prefix }));
    if (objects.length === 0) return removed;
    await withDeadline(deps.bucket.delete(objects.map(({ key }) => key)));
    removed += objects.length;
  }
}
