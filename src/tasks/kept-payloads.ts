import { sql } from "drizzle-orm";

/**
 * A dead letter may keep the payload of the event `o` (`user_id`, `type`, `payload`): the event is not about a deleted
 * user, is needed to complete or report the deletion, or comes from another service, which may know the user before we
 * do. Any other payload about a deleted user would keep what the deletion has erased.
 */
export const keepsPayload = sql.raw(`(o.user_id is null or exists (select 1 from users where users.id = o.user_id)
  or o.type in ('user.deleted', 'user_search.due', 'account.deleted', 'social.revocation_due', 'platform.event')
  or (o.type = 'webhook.due' and o.payload ->> 'type' = 'user.deleted'))`);
