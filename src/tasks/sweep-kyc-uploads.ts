import { and, type SQL, sql } from "drizzle-orm";
import { kycDocuments } from "../db/kyc-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import { HOUR_MS } from "../platform/time.ts";
import { listObjects, removeObjects } from "../users/kyc/kyc-bucket.store.ts";
import { deleteRemoved } from "../users/kyc/kyc-document.store.ts";
import type { Chunk, Job, JobDeps } from "./engine/job.ts";
import { findJobCursor, keepJobCursor } from "./engine/job-cursor.store.ts";

/** Minimum age of files and objects that are removed; much longer than an upload takes. */
const GRACE_MS = HOUR_MS;
const CHUNK_SIZE = 200;
/** Pages of 1,000 objects listed per run: a bucket with a million objects is scanned in 50 runs. */
const PAGES_PER_RUN = 20;
const NAME = "sweep_kyc_uploads";
const OBJECTS = "objects:";

type Step = (deps: JobDeps, fence: SQL) => Chunk | Promise<Chunk>;

/**
 * Removes leftovers of uploads: files that no submission referenced within an hour, replaced files, and objects without
 * a row. A row can no longer be referenced before its object is deleted, so no submission ever references a missing
 * object.
 *
 * Objects are scanned in key order, 20,000 per run, from where the last run stopped. An object without a row that is
 * older than an hour is removed after at most (objects in the bucket / 20,000) + 1 hours.
 */
export const sweepKycUploads: Job = {
  name: NAME,
  everyMs: HOUR_MS,
  planChunk(deps, cursor, fence) {
    if (cursor?.startsWith(OBJECTS)) return sweepObjects(deps, Number(cursor.slice(OBJECTS.length)), fence);
    const step = steps[cursor ?? "abandon"];
    if (!step) throw new Error(`unknown step ${cursor}`);
    return step(deps, fence);
  },
};

/**
 * Documents in one of the states that are older than the grace period. Reads ranges of the index of documents that are
 * not live.
 */
const isLeftIn = (deps: JobDeps, ...states: string[]) =>
  sql`state <> 'live' and state in (${sql.join(
    states.map((state) => sql`${state}`),
    sql`, `,
  )}) and created_at < ${deps.now() - GRACE_MS}`;

const steps: Readonly<Record<string, Step>> = {
  abandon: (deps, fence) => ({
    statements: {
      changed: deps.db
        .update(kycDocuments)
        .set({ state: "abandoned" })
        .where(
          and(
            sql`${kycDocuments.id} in (select id from kyc_documents where ${isLeftIn(deps, "pending")} limit ${CHUNK_SIZE})`,
            fence,
          ),
        )
        .returning({ id: kycDocuments.id }),
    },
    next: (changed) => (changed < CHUNK_SIZE ? "remove" : "abandon"),
  }),

  async remove(deps, fence) {
    const { due } = await runBatch(deps, {
      due: deps.db
        .select({ id: kycDocuments.id, objectKey: kycDocuments.objectKey })
        .from(kycDocuments)
        .where(isLeftIn(deps, "abandoned", "replaced"))
        .limit(CHUNK_SIZE),
    });
    await removeObjects(
      deps,
      due.map(({ objectKey }) => objectKey),
    );
    const changed = deleteRemoved(
      deps,
      due.map(({ id }) => id),
      fence,
    );
    return { statements: { changed }, next: () => (due.length < CHUNK_SIZE ? `${OBJECTS}0` : "remove") };
  },
};

/** Removes objects without a row, left by an interrupted call or a deleted user. */
async function sweepObjects(deps: JobDeps, page: number, fence: SQL): Promise<Chunk> {
  const { objects, last } = await listObjects(deps, await findJobCursor(deps, NAME));
  const old = objects.filter(({ uploadedAt }) => uploadedAt < deps.now() - GRACE_MS).map(({ key }) => key);
  const { unnamed } = await runBatch(deps, {
    unnamed: deps.db
      .select({ key: sql<string>`value`.as("key") })
      .from(sql`json_each(${JSON.stringify(old)})`)
      .where(sql`not exists (select 1 from kyc_documents where object_key = value)`),
  });
  const keys = unnamed.map(({ key }) => key);
  await removeObjects(deps, keys);
  return {
    statements: {
      changed: deps.db
        .select({ key: sql<string>`value`.as("key") })
        .from(sql`json_each(${JSON.stringify(keys)})`)
        .where(fence),
      cursor: keepJobCursor(deps, NAME, last ?? "", fence),
    },
    next: () => (last === undefined || page + 1 === PAGES_PER_RUN ? undefined : OBJECTS + (page + 1)),
  };
}
