import { eq, type SQL, sql } from "drizzle-orm";
import { notifications } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import { processOnce } from "../platform/data/once.ts";
import { recordEvent } from "../platform/data/outbox.ts";
import type { Statement } from "../platform/data/prepared.ts";
import { relay } from "../platform/data/relay.ts";
import type { Deps } from "../platform/deps.ts";
import { recordNotification, type Texts } from "../users/notification.store.ts";
import type { TaskEvent, TaskOutcome } from "./engine/task.ts";

interface Notice {
  /** As the app knows it, such as `PROFILE_REMINDER`. */
  kind: string;
  texts: Texts;
  /** Ids for the app; nothing personal. */
  data?: Readonly<Record<string, string>>;
  /** Sent to the user's devices too. */
  withPush?: boolean;
  /** What must hold of the row of `users` at the time, beside that it is there. */
  onlyWhere?: SQL;
  /** A statement for the same batch, whether the person is told or not; `isFirst` holds while the event is new. */
  also?: (isFirst: SQL) => Statement;
}

/** Writes one notification for the event's user, and asks for its push, in the batch that marks the event as processed. */
export async function notifyUser(deps: Deps, task: string, event: TaskEvent, notice: Notice): Promise<TaskOutcome> {
  const id = deps.newId();
  const { mark, isFirst } = processOnce(deps, task, event.id);
  const { made, push } = await runBatch(deps, {
    mark,
    notification: recordNotification(
      deps,
      { id, kind: notice.kind, texts: notice.texts, ...(notice.data ? { data: JSON.stringify(notice.data) } : {}) },
      sql`from users where users.id = ${event.userId} and ${isFirst} and ${notice.onlyWhere ?? sql`true`}`,
    ),
    push: notice.withPush
      ? recordEvent(
          deps,
          {
            type: "push.requested",
            userId: sql`${event.userId}`,
            payload: JSON.stringify({ notification_id: id }),
            queue: "tasks",
          },
          sql`exists (select 1 from notifications where id = ${id})`,
        )
      : undefined,
    also: notice.also?.(isFirst),
    made: deps.db.select({ id: notifications.id }).from(notifications).where(eq(notifications.id, id)),
  });
  if (push) await relay(deps, push);
  return { done: true, note: made.length > 0 ? "notified" : "nothing to tell" };
}
