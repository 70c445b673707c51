import { sql } from "drizzle-orm";

/**
 * The row of `users` is an admin, and no other admin is ACTIVE. The CASE keeps SQLite from looking for other admins
 * unless the row is one, even if the condition is selected as a value; `role <> 'user'` makes the partial index apply.
 */
export const isLastAdmin = sql.raw(`(case when users.role = 'admin' then not exists (select 1 from users other
  where other.role = 'admin' and other.role <> 'user' and other.status = 'ACTIVE' and other.id <> users.id) else 0 end)`);
