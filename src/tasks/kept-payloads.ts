import { sql } from "drizzle-orm";

/**
 * The row `o` of `outbox` is not about a deleted user, or announces the deletion. A dead letter about a deleted user would
 * keep what the deletion has erased.
 */
export const keepsPayload = sql.raw(`(o.user_id is null or exists (select 1 from users where users.id = o.user_id)
  or o.type in ('user.deleted', 'account.deleted', 'social.revocation_due')
  or (o.type = 'webhook.due' and o.payload ->> 'type' = 'user.deleted'))`);
