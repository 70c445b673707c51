import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { describeRetention } from "../../scripts/docs/retention.ts";
import { dayEndsAt } from "../../src/nepal.ts";
import { otherRetention } from "../../src/tasks/other-retention.ts";
import { purgeRules } from "../../src/tasks/retention.ts";
import { useClock } from "../support/clock.ts";
import { count, rows } from "../support/database.ts";
import { runJob } from "../support/jobs.ts";
import { insertUser } from "../support/platform.ts";
import { nameOf } from "../support/retention.ts";
import { insertPurgeable } from "../support/retention-rows.ts";

const DAY_MS = 86_400_000;
/** The last millisecond of a day in Nepal, which is also the boundary of rows kept by day. */
const BOUNDARY = dayEndsAt(Date.UTC(2033, 0, 1)) - 1;

useClock({ at: BOUNDARY });

async function tablesOf(db: D1Database): Promise<string[]> {
  const { results } = await db
    .prepare(
      `select name from pragma_table_list where schema = 'main' and type in ('table', 'virtual') and name <> 'd1_migrations'
        and name not like 'sqlite@_%' escape '@' and name not like '@_cf@_%' escape '@' order by name`,
    )
    .all<{ name: string }>();
  return results.map(({ name }) => name);
}

const HOUR = 1 / 24;
const MINUTE = HOUR / 60;
/**
 * How long rows are kept after the time in a column, in days. Stated here independently of the constants, because users
 * and auditors are promised these periods.
 */
const PROMISED_DAYS: Record<string, number> = {
  "otp_challenges.cid": 1 + 15 * MINUTE,
  "otp_challenges.created_at": 5 * MINUTE,
  "otp_network_guards.last_guess_at": 7,
  "otp_class_guards.last_guess_at": 7,
  "network_guess_limits.window_started_at": HOUR,
  "sms_send_limits.window_ends_at": 0,
  "sms_budget_days.day": 90,
  "email_budget_days.day": 90,
  "familiar_networks.last_sign_in_at": 90,
  "social_proofs.expires_at": 3 * MINUTE,
  "passkey_uses.used_at": 1,
  "identity_changes.id": 7,
  "kyc_uploads.created_at": 1,
  "idempotency_keys.expires_at": 0,
  "sessions.absolute_expires_at": 0,
  "sessions.revoked_at if revoked_at is not null and revoked_reason is not 'refresh_reuse'": 30,
  "sessions.revoked_at if revoked_reason = 'refresh_reuse'": 365 + 90,
  "processed_events.processed_at": 14,
  "deliveries.event_id": 14,
  "local_outbox.id": 14,
  "notifications.id": 180,
  "dead_letters.created_at": 90,
  "dead_letters.replayed_at": 30,
  "dead_letters.discarded_at": 30,
  "daily_counts.day": 400,
  "devices.session_id": 90,
  "analytics_reports.expires_at": 0,
  "job_runs.finished_at": 30,
  "audit_logs.id": 365,
  "social_states.expires_at": HOUR,
};

describe("Retention rules", () => {
  it("keep rows for the promised periods", () => {
    const milliseconds = (days: number) => Math.round(days * DAY_MS);
    const promised = Object.entries(PROMISED_DAYS).map(([name, days]) => [name, milliseconds(days)]);
    expect(purgeRules.map((rule) => [nameOf(rule), rule.keptMs]).sort()).toEqual(promised.sort());
  });

  it("cover every table of both databases exactly once, and no others", async () => {
    const tables = [...(await tablesOf(env.DB)), ...(await tablesOf(env.SEARCH_DB))];
    const stated = describeRetention().map(([table]) => table);
    expect(stated.sort()).toEqual(tables.sort());
  });

  it("rely on a foreign key if rows are deleted with their user or document", async () => {
    for (const [table, rule] of Object.entries(otherRetention)) {
      if (!/^with the (user|document)/.test(rule) || table === "search_entries") continue;
      const keys = await rows<{ table: string; on_delete: string }>(
        `select * from pragma_foreign_key_list('${table}')`,
      );
      const owners = keys.filter(({ on_delete }) => on_delete === "CASCADE").map((key) => key.table);
      expect(owners, table).toContain(rule.startsWith("with the user") ? "users" : "kyc_documents");
    }
  });
});

describe("Rows with a retention period", () => {
  const purgeAll = async () => {
    for (const job of new Set(purgeRules.map(({ by }) => by))) await runJob(job);
  };

  it("are kept until its last millisecond and deleted by the next purge", async () => {
    const placed = new Map<string, string>();
    for (const [i, rule] of purgeRules.entries()) {
      placed.set(nameOf(rule), await insertPurgeable(rule, BOUNDARY - rule.keptMs, `due${i}`, 1));
    }
    expect(placed.size, "each rule has its own name").toBe(purgeRules.length);
    const left = async () => {
      const counts: Record<string, number> = {};
      for (const [name, from] of placed) counts[name] = await count(from);
      return counts;
    };
    const all = (n: number) => Object.fromEntries([...placed.keys()].map((name) => [name, n]));
    vi.setSystemTime(BOUNDARY - 1);
    await purgeAll();
    expect(await left()).toEqual(all(1));
    vi.setSystemTime(BOUNDARY);
    await purgeAll();
    expect(await left(), "at the boundary").toEqual(all(1));
    vi.setSystemTime(BOUNDARY + 1);
    await purgeAll();
    expect(await left(), "behind the boundary").toEqual(all(0));
  });

  it("do not include waiting events, whatever their age", async () => {
    await rows(
      `insert into outbox (id, type, queue, payload, created_at, leased_until, attempts)
        values ('0-unsent', 'user.updated', 'tasks', '{}', 0, ${BOUNDARY * 2}, 0)`,
    );
    await purgeAll();
    expect(await count("from outbox where id = '0-unsent'")).toBe(1);
  });

  it("count an expired session's 30 days from when it could no longer be refreshed", async () => {
    const userId = await insertUser(BOUNDARY);
    const insert = (id: string, idle: number, absolute: number) =>
      rows(
        `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
          idle_ttl_ms, idle_expires_at, absolute_expires_at, ip, method)
          values (?, ?, 0, 0, 0, '', 0, '', 0, 0, ?, ?, '', 'OTP_PHONE')`,
        id,
        userId,
        idle,
        absolute,
      );
    await insert("idle 30 days", BOUNDARY - 30 * DAY_MS, BOUNDARY - DAY_MS);
    await insert("idle 31 days", BOUNDARY - 31 * DAY_MS, BOUNDARY - DAY_MS);
    await insert("idle, not expired", BOUNDARY - DAY_MS, BOUNDARY + DAY_MS);
    await insert("live", BOUNDARY + DAY_MS, BOUNDARY + DAY_MS);
    await purgeAll();
    const left = await rows(
      "select id, revoked_at, revoked_reason from sessions where user_id = ? order by id",
      userId,
    );
    expect(left).toEqual([
      { id: "idle 30 days", revoked_at: BOUNDARY - 30 * DAY_MS, revoked_reason: "expired" },
      { id: "idle, not expired", revoked_at: null, revoked_reason: null },
      { id: "live", revoked_at: null, revoked_reason: null },
    ]);
  });
});
