import { z } from "zod";
import { forgetCodeHashes } from "../auth/otp-code.store.ts";
import { withDeadline } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { forgetDenials } from "../sessions/denylist.store.ts";
import type { Task } from "./task.ts";

const payloadSchema = z.object({
  user_id: z.string().min(1),
  session_ids: z.array(z.string()),
  challenge_ids: z.array(z.string()),
});

/** Removes what a deleted account has left outside the database; each part may be repeated, until all are done. */
export const finishAccountDeletion: Task = {
  name: "finish_account_deletion",
  types: ["account.deleted"],
  async run(deps, event) {
    const { user_id: userId, session_ids: sessionIds, challenge_ids: cids } = payloadSchema.parse(event.payload);
    await Promise.all([forgetCodeHashes(deps, cids), forgetDenials(deps, sessionIds)]);
    const files = await removeFiles(deps, `kyc/${userId}/`);
    return { done: true, note: `${files} files` };
  },
};

/** Removes every object under the prefix; a listing holds at most 1,000, which is what one call deletes. */
async function removeFiles(deps: Pick<Deps, "bucket">, prefix: string): Promise<number> {
  let removed = 0;
  for (;;) {
    const { objects } = await withDeadline(deps.bucket.list({ prefix }));
    if (objects.length === 0) return removed;
    await withDeadline(deps.bucket.delete(objects.map(({ key }) => key)));
    removed += objects.length;
  }
}
