import { type SQL, sql } from "drizzle-orm";
import type { SecurityMessage } from "../../delivery/security-messages.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";

type EventDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId">;

/**
 * Requests a message to one verified address of the user if `condition` holds; a missing or unverified address gets
 * none.
 *
 * @param userId the user's id, or a scalar subquery for it.
 */
export function tellAddress(
  deps: EventDeps,
  userId: string | SQL,
  kind: "email" | "phone",
  message: SecurityMessage | SQL,
  condition: SQL,
) {
  const verified = sql.raw(
    kind === "email" ? "email is not null and email_verified" : "phone_number is not null and phone_verified",
  );
  const [channel, column] = kind === "email" ? ["email", "email"] : ["sms", "phone_number"];
  return recordEvent(
    deps,
    {
      type: "security.message_due",
      userId,
      payload: sql`(select json_object('channel', ${channel}, 'to', ${sql.raw(column)}, 'locale', locale, 'message', ${message})
        from users where id = ${userId})`,
      queue: "tasks",
    },
    sql`${condition} and exists (select 1 from users where id = ${userId} and ${verified})`,
  );
}

/** Requests a message to each verified address of the user if `condition` holds (NIST SP 800-63B-4 section 4.6). */
export function tellVerifiedAddresses(
  deps: EventDeps,
  userId: string | SQL,
  message: SecurityMessage | SQL,
  condition: SQL,
) {
  return {
    emailMessage: tellAddress(deps, userId, "email", message, condition),
    phoneMessage: tellAddress(deps, userId, "phone", message, condition),
  };
}
