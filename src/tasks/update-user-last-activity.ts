import { and, eq, sql } from "drizzle-orm";
import { z } from "zod";
import { sessions } from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import { instantOf, runBatch } from "../platform/data/database.ts";
import { ACTIVITY_INTERVAL_MS } from "../sessions/session.store.ts";
import type { Task } from "./engine/task.ts";

const payloadSchema = z.object({ session_id: z.string(), at: z.int().positive() });

/**
 * Records when a user was last active. Of reports from one session less than 15 minutes apart, only the first counts.
 */
export const updateUserLastActivity: Task = {
  name: "update_user_last_activity",
  types: ["user.active"],
  async run(deps, event) {
    const { session_id: sessionId, at } = payloadSchema.parse(event.payload);
    const userId = event.userId ?? "";
    const { counted } = await runBatch(deps, {
      counted: deps.db
        .update(sessions)
        .set({ activityAt: instantOf(at) })
        .where(
          sql`${eq(sessions.id, sessionId)} and ${eq(sessions.userId, userId)}
            and coalesce(${sessions.activityAt}, 0) <= ${at - ACTIVITY_INTERVAL_MS}`,
        )
        .returning({ id: sessions.id }),
      user: deps.db
        .update(users)
        .set({ lastActivityAt: instantOf(at) })
        .where(
          and(
            eq(users.id, userId),
            sql`coalesce(${users.lastActivityAt}, 0) < ${at}`,
            sql`exists (select 1 from sessions s where s.id = ${sessionId} and s.user_id = users.id and s.activity_at = ${at})`,
          ),
        ),
    });
    return { done: true, note: counted.length > 0 ? "counted" : "counted before" };
  },
};
