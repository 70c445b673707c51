import { lt, sql } from "drizzle-orm";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import { socialProofs, socialStates } from "../db/social-schema.ts";
import type { Job } from "./job.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const CHUNK_SIZE = 500;

const tables = [socialStates, socialProofs] as const;

/**
 * Removes what abandoned and finished flows leave behind. A provider's account is one row with its user and goes with
 * them, so none can be without a user, and no user without it.
 */
export const cleanupUnlinkedSocialAccounts: Job = {
  name: "cleanup_unlinked_social_accounts",
  everyMs: DAY_MS,
  planChunk(deps, cursor, fence) {
    const at = Number(cursor ?? 0);
    const table = tables[at];
    if (!table) throw new Error(`no table ${at}`);
    const name = sql.identifier(getTableConfig(table).name);
    const expired = sql`select rowid from ${name} where ${lt(table.expiresAt, deps.now() - HOUR_MS)} limit ${CHUNK_SIZE}`;
    return {
      statements: {
        changed: deps.db.delete(table).where(sql`rowid in (${expired}) and ${fence}`).returning({ one: sql`1` }),
      },
      next: (changed) => {
        const following = changed < CHUNK_SIZE ? at + 1 : at;
        return following < tables.length ? String(following) : undefined;
      },
    };
  },
};
