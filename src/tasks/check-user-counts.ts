import { type SQL, sql } from "drizzle-orm";
import { userCounts } from "../db/user-schema.ts";
import { raiseAlert } from "../platform/alerts.ts";
import { instantOf } from "../platform/data/database.ts";
import { DAY_MS, HOUR_MS } from "../platform/time.ts";
import type { Chunk, Job, JobDeps } from "./engine/job.ts";

/** 02:45 in Nepal. */
const NIGHT_OFFSET_MS = 21 * HOUR_MS;
/** Users counted in one chunk. */
const CHUNK_SIZE = 2_000;
/** Number of status buckets (values of `users.status_bucket`). */
const BUCKETS = 48;
const COUNT = "count";

/**
 * Recounts the users in each status bucket, corrects counters that differ, and reports how many did. The result is
 * exact under concurrent changes: users are counted in the order of their ids, and the triggers that maintain
 * `by_status_bucket` also update the new count for every user already counted.
 */
export const checkUserCounts: Job = {
  name: "check_user_counts",
  everyMs: DAY_MS,
  offsetMs: NIGHT_OFFSET_MS,
  planChunk: (deps, cursor, fence) => (cursor === null ? begin(deps, fence) : count(deps, fence)),
};

function begin(deps: JobDeps, fence: SQL): Chunk {
  return {
    statements: {
      changed: deps.db
        .update(userCounts)
        .set({ recount: Array<number>(BUCKETS).fill(0), recountedTo: "" })
        .where(fence)
        .returning({ id: userCounts.id }),
    },
    next: () => COUNT,
  };
}

/** Previous counts plus those of this chunk, per bucket: one pass, without a sort. */
const sums = sql.raw(
  Array.from(
    { length: BUCKETS },
    (_, bucket) => `(user_counts.recount ->> ${bucket}) + sum(status_bucket = ${bucket})`,
  ).join(", "),
);

/** Each chunk continues from the stored position, so a repeated chunk counts nobody twice. */
function count(deps: JobDeps, fence: SQL): Chunk {
  const following = sql`from users where users.id > user_counts.recounted_to order by users.id limit ${instantOf(CHUNK_SIZE)}`;
  const isComplete = sql`recounted_to is not null and not exists (select 1 from users where users.id > recounted_to)`;
  return {
    statements: {
      counted: deps.db
        .update(userCounts)
        .set({
          recount: sql`(select json_array(${sums}) from (select users.status_bucket ${following}))`,
          recountedTo: sql`(select max(id) from (select users.id ${following}))`,
        })
        .where(
          sql`recounted_to is not null and exists (select 1 from users where users.id > user_counts.recounted_to) and ${fence}`,
        ),
      // In the same batch as the last chunk, so that nobody signs up between the count and the comparison.
      drift: deps.db
        .select({ bucket: sql<number>`key`.as("bucket") })
        .from(sql`user_counts, json_each(by_status_bucket)`)
        .where(sql`${isComplete} and value <> (recount ->> key) and ${fence}`),
      corrected: deps.db
        .update(userCounts)
        .set({ byStatusBucket: sql`recount`, recount: null, recountedTo: null })
        .where(sql`${isComplete} and ${fence}`),
      // Returns a row while there are users left to count.
      changed: deps.db.select({ id: userCounts.id }).from(userCounts).where(sql`recounted_to is not null and ${fence}`),
    },
    committed({ drift = [] }) {
      if (drift.length > 0) raiseAlert(deps, "user_counts_drift", { buckets: drift.length });
    },
    next: (left) => (left > 0 ? COUNT : undefined),
  };
}
