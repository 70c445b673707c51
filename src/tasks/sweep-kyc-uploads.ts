import { and, inArray, lt, type SQL, sql } from "drizzle-orm";
import { kycDocuments } from "../db/kyc-schema.ts";
import { inOneTrip } from "../platform/database.ts";
import { listObjects, removeObjects } from "../users/kyc-bucket.store.ts";
import { deleteRemoved } from "../users/kyc-document.store.ts";
import type { Chunk, Job, JobDeps } from "./job.ts";

const HOUR_MS = 60 * 60 * 1000;
/** Far longer than an upload takes. */
const GRACE_MS = HOUR_MS;
const CHUNK_SIZE = 200;
const OBJECTS = "objects:";

// Each condition says `state <> 'live'` beside its own state: it is what the index of these rows is about.
type Step = (deps: JobDeps, fence: SQL) => Chunk | Promise<Chunk>;

/**
 * Removes what uploads left behind: files that no submission named within an hour, files that were replaced, and objects
 * that no row names. A row stops being nameable before its object goes, so that no KYC ever names what is not there.
 */
export const sweepKycUploads: Job = {
  name: "sweep_kyc_uploads",
  everyMs: HOUR_MS,
  planChunk(deps, cursor, fence) {
    if (cursor?.startsWith(OBJECTS)) return sweepObjects(deps, cursor.slice(OBJECTS.length), fence);
    const step = steps[cursor ?? "abandon"];
    if (!step) throw new Error(`no step ${cursor}`);
    return step(deps, fence);
  },
};

/** The same step once more while it finds enough to do. */
const thenOn = (step: string, following: string) => (changed: number) => (changed < CHUNK_SIZE ? following : step);

const steps: Readonly<Record<string, Step>> = {
  abandon: (deps, fence) => ({
    statements: {
      changed: deps.db
        .update(kycDocuments)
        .set({ state: "abandoned" })
        .where(
          and(
            sql`${kycDocuments.id} in (select id from kyc_documents where state <> 'live' and state = 'pending' and created_at < ${deps.now() - GRACE_MS}
              limit ${CHUNK_SIZE})`,
            fence,
          ),
        )
        .returning({ id: kycDocuments.id }),
    },
    next: thenOn("abandon", "remove"),
  }),

  async remove(deps, fence) {
    const { due } = await inOneTrip(deps, {
      due: deps.db
        .select({ id: kycDocuments.id, objectKey: kycDocuments.objectKey })
        .from(kycDocuments)
        .where(
          and(
            sql`${kycDocuments.state} <> 'live'`,
            inArray(kycDocuments.state, ["abandoned", "replaced"]),
            lt(kycDocuments.createdAt, deps.now() - GRACE_MS),
          ),
        )
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
    return { statements: { changed }, next: () => (due.length < CHUNK_SIZE ? OBJECTS : "remove") };
  },
};

/** Objects that no row names: of a call that died late, or of a user who is gone. */
async function sweepObjects(deps: JobDeps, from: string, fence: SQL): Promise<Chunk> {
  const { objects, next } = await listObjects(deps, from || undefined);
  const old = objects.filter(({ uploadedAt }) => uploadedAt < deps.now() - GRACE_MS).map(({ key }) => key);
  const { unnamed } = await inOneTrip(deps, {
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
    },
    next: () => (next === undefined ? undefined : OBJECTS + next),
  };
}
