import { eq, sql } from "drizzle-orm";
import { z } from "zod";
import { eraseAccount, identifierSnapshot, prepareErasure } from "../auth/deletion/account-erasure.store.ts";
import { users } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import { recordEventForEach } from "../platform/data/outbox.ts";
import { publish } from "../platform/data/publish.ts";
import { listDeletedAccounts } from "../staff/directory/deleted-accounts.store.ts";
import type { Job } from "./engine/job.ts";
import type { Task } from "./engine/task.ts";

const TYPE = "account.deletion_undone";
/** Deletion records read per chunk. */
const CHUNK_SIZE = 100;

/**
 * Requests the deletion of users whose deleted accounts a restore of the primary has brought back. Started by an
 * operator after the restore.
 */
export const reapplyAccountDeletions: Job = {
  name: "reapply_account_deletions",
  everyMs: undefined,
  async planChunk(deps, cursor, fence) {
    const ids = await listDeletedAccounts(deps, cursor ?? "", CHUNK_SIZE);
    const restoredUsers = sql`from users where users.id in (select value from json_each(${JSON.stringify(ids)})) and ${fence}`;
    const changed = recordEventForEach(
      deps,
      { type: TYPE, queue: "tasks", userId: sql`users.id` },
      restoredUsers,
    ).returning({ one: sql`1` });
    return { statements: { changed }, next: () => (ids.length < CHUNK_SIZE ? undefined : ids.at(-1)) };
  },
};

const payloadSchema = z.object({ user_id: z.string() });

/**
 * Deletes one restored user again, without the checks of a user's own request. Does nothing if the user does not exist.
 */
export const reapplyAccountDeletion: Task = {
  name: "reapply_account_deletion",
  types: [TYPE],
  async run(deps, event) {
    const { user_id: userId } = payloadSchema.parse(event.payload);
    const { found } = await runBatch(deps, {
      found: deps.db
        .select({ snapshot: identifierSnapshot.as("snapshot") })
        .from(users)
        .where(eq(users.id, userId)),
    });
    if (!found[0]) return { done: true, note: "already gone" };
    const erasure = await prepareErasure(deps, userId, found[0].snapshot);
    const events = await runBatch(deps, eraseAccount(deps, erasure, deps.newId(), sql`true`));
    const { deletedEvent, cleanupEvent, revocationEvent } = events;
    await publish(deps, [...deletedEvent, ...cleanupEvent, ...revocationEvent]);
    if (deletedEvent.length === 0) throw new Error("the account has changed in the meantime");
    return { done: true, note: "deleted again" };
  },
};
