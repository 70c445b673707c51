import { sql } from "drizzle-orm";

/** Holds for a row of `profiles` that lacks something: the full name, the date of birth or the address. */
export const isIncomplete = sql.raw("(full_name is null or date_of_birth is null or address is null)");
