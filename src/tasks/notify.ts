import { eq, type SQL, sql } from "drizzle-orm";
import { type NotificationType, notifications } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import { processOnce } from "../platform/data/once.ts";
import { recordEvent } from "../platform/data/outbox.ts";
import type { Statement } from "../platform/data/prepared.ts";
import { publish } from "../platform/data/publish.ts";
import type { Deps } from "../platform/deps.ts";
import { recordNotification, type Texts } from "../users/notification.store.ts";
import type { TaskEvent, TaskOutcome } from "./engine/task.ts";

interface Notice {
  kind: NotificationType;
  texts: Texts;
  /** Ids for the app; no personal data. */
  data?: Readonly<Record<string, string>>;
  /** Also sends a push notification to the user's devices. */
  withPush?: boolean;
  /** Additional condition on the row of `users`. */
  onlyWhere?: SQL;
  /**
   * Additional statement for the same batch, run whether or not the user is notified. `isFirst` is true unless the
   * event was processed before.
   */
  also?: (isFirst: SQL) => Statement;
}

/**
 * Writes at most one notification for the event's user and, if `withPush` is set, requests its push, in the batch that
 * marks the event as processed.
 */
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
  if (push) await publish(deps, push);
  return { done: true, note: made.length > 0 ? "notified" : "no notification needed" };
}
