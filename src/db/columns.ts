import { integer } from "drizzle-orm/sqlite-core";

// Every instant is an integer: milliseconds since the epoch, UTC. Every id is a UUIDv7 string unless said otherwise.
export const instant = (name: string) => integer(name);
export const flag = (name: string) => integer(name, { mode: "boolean" });
