import { and, eq, or } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";

/** The row of `users` may sign in: it is active, or inactive only because of inactivity. */
export const maySignIn = or(
  eq(users.status, "ACTIVE"),
  and(eq(users.status, "INACTIVE"), eq(users.statusReason, "inactivity")),
);
