import { integer } from "drizzle-orm/sqlite-core";

// All times are integers: milliseconds since the epoch, UTC. All ids are UUIDv7 strings unless stated otherwise.
export const instant = (name: string) => integer(name);
export const flag = (name: string) => integer(name, { mode: "boolean" });
