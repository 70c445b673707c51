import { lt, or, type SQL, sql } from "drizzle-orm";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { analyticsReports } from "../db/ledger-schema.ts";
import { deliveries, idempotencyKeys, jobRuns, localOutbox, outbox, processedEvents } from "../db/platform-schema.ts";
import {
  familiarNetworks,
  networkGuessLimits,
  otpChallenges,
  otpClassGuards,
  otpNetworkGuards,
  sessions,
  verificationTokens,
} from "../db/sign-in-schema.ts";
import { smsBudgetDays, smsSendLimits } from "../db/sms-schema.ts";
import { socialProofs } from "../db/social-schema.ts";
import { dayOf } from "../platform/kathmandu.ts";
import type { Job } from "./job.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const CHUNK_SIZE = 500;

/** What no rule asks for any more, a table after the other; each condition is served by an index. */
const rules: [SQLiteTable, (now: number) => SQL | undefined][] = [
  // The day's sends are counted from these.
  [otpChallenges, (now) => lt(otpChallenges.createdAt, now - DAY_MS)],
  // A guard without a guess for a week is void.
  [otpNetworkGuards, (now) => lt(otpNetworkGuards.lastGuessAt, now - 7 * DAY_MS)],
  [otpClassGuards, (now) => lt(otpClassGuards.lastGuessAt, now - 7 * DAY_MS)],
  [networkGuessLimits, (now) => lt(networkGuessLimits.windowStartedAt, now - HOUR_MS)],
  [smsSendLimits, (now) => lt(smsSendLimits.windowEndsAt, now)],
  [smsBudgetDays, (now) => lt(smsBudgetDays.day, dayOf(now - 90 * DAY_MS))],
  [familiarNetworks, (now) => lt(familiarNetworks.lastSignInAt, now - 90 * DAY_MS)],
  // A keyed repetition of the sign-in asks for the token for a day after its use.
  [verificationTokens, (now) => lt(verificationTokens.expiresAt, now - DAY_MS)],
  // A used code may be repeated for 180 seconds, although it lives for 60.
  [socialProofs, (now) => lt(socialProofs.expiresAt, now - HOUR_MS)],
  [idempotencyKeys, (now) => lt(idempotencyKeys.expiresAt, now)],
  [sessions, (now) => or(lt(sessions.revokedAt, now - 30 * DAY_MS), idleSince(now - 30 * DAY_MS, now))],
  [outbox, (now) => lt(outbox.sentAt, now - 14 * DAY_MS)],
  [processedEvents, (now) => lt(processedEvents.processedAt, now - 14 * DAY_MS)],
  [deliveries, (now) => lt(deliveries.eventId, firstIdAt(now - 14 * DAY_MS))],
  [localOutbox, (now) => lt(localOutbox.createdAt, now - 14 * DAY_MS)],
  [analyticsReports, (now) => lt(analyticsReports.expiresAt, now)],
  [jobRuns, (now) => lt(jobRuns.finishedAt, now - 30 * DAY_MS)],
];

/** No session outlives its idle expiry by more than 30 days, so the index on the absolute one bounds the search. */
function idleSince(instant: number, now: number): SQL {
  return sql`(${sessions.absoluteExpiresAt} <= ${now} and ${sessions.idleExpiresAt} < ${instant})`;
}

/** The least UUIDv7 of the instant (RFC 9562 section 5.7): events' ids sort by their time. */
function firstIdAt(instant: number): string {
  const hex = instant.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** Deletes what has expired: codes, guards, tokens, keys, used ID tokens, ended sessions after 30 days, sent events after 14. */
export const purgeExpiredRows: Job = {
  name: "purge_expired_rows",
  everyMs: HOUR_MS,
  planChunk(deps, cursor, fence) {
    const at = Number(cursor ?? 0);
    const rule = rules[at];
    if (!rule) throw new Error(`no rule ${at}`);
    const [table, isExpired] = rule;
    const name = sql.identifier(getTableConfig(table).name);
    const expired = sql`select rowid from ${name} where ${isExpired(deps.now())} limit ${CHUNK_SIZE}`;
    return {
      statements: {
        changed: deps.db.delete(table).where(sql`rowid in (${expired}) and ${fence}`).returning({ one: sql`1` }),
      },
      next: (changed) => {
        const following = changed < CHUNK_SIZE ? at + 1 : at;
        return following < rules.length ? String(following) : undefined;
      },
    };
  },
};
