import { join } from "node:path";
import { getPlatformProxy } from "wrangler";
import { type Databases, inserter } from "../../../scripts/seed/databases.ts";
import { sessions } from "../../../src/db/sign-in-schema.ts";
import { periodAt } from "../../../src/tasks/engine/job.ts";
import { jobs } from "../../../src/tasks/engine/job-registry.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const root = join(import.meta.dirname, "..", "..", "..");

export interface Person {
  userId: string;
  sessionId: string;
}

/** Opens a session for a seeded user, as if they had signed in at that time. */
function signIn({ primary }: Databases, userId: string, createdAt: number): Person {
  const sessionId = crypto.randomUUID();
  const session = { id: sessionId, userId, createdAt, lastUsedAt: createdAt, activityAt: Date.now() };
  inserter(
    primary,
    sessions,
  )({
    ...session,
    counter: 0,
    refreshKeyId: "none",
    rotatedAt: createdAt,
    rotatedBy: "none",
    replays: 0,
    idleTtlMs: 12 * HOUR_MS,
    idleExpiresAt: createdAt + 12 * HOUR_MS,
    absoluteExpiresAt: createdAt + 24 * HOUR_MS,
    ip: "127.0.0.1",
    method: "OTP_PHONE",
  });
  return { userId, sessionId };
}

/** Marks the periodic jobs as finished for the length of the run; otherwise they would process all seeded users. */
function finishJobs({ primary }: Databases, now: number): void {
  const finish = primary.prepare("insert into job_runs values (?, ?, null, 0, 0, 0, null, ?)");
  for (const job of jobs) {
    const period = periodAt(job, now);
    if (period === undefined) continue;
    for (const each of [period, period + Number(job.everyMs)]) finish.run(job.name, each, now);
  }
}

/**
 * Inserts the users of the benchmark: one who reads, one whose deletions are refused because the sign-in is too old,
 * and one whose account is deleted, with the texts to look for.
 */
export function enterPeople(databases: Databases, sizes: { audits: number; events: number }) {
  const { primary } = databases;
  const now = Date.now();
  finishJobs(databases, now);
  const found = primary
    .prepare("select id, phone_number as phone from users where status = 'ACTIVE' and phone_number is not null limit 3")
    .all() as { id: string; phone: string }[];
  const [reader, refused, leaver] = found;
  if (!reader || !refused || !leaver) throw new Error("too few users");
  const word = `canary-${crypto.randomUUID()}`;
  const series = "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?3)";
  primary.exec("begin");
  primary
    .prepare(
      `insert into audit_logs (id, user_id, action, entity_type, entity_id, old_values, new_values, actor_id, by_staff, ip,
        user_agent, created_at) ${series} select 'bench-' || ?4 || '-' || i, ?1, 'UPDATE', 'profile', ?1,
        json_object('address', ?2), json_object('address', ?2), ?1, 0, '192.0.2.1', ?2, ?4 from n`,
    )
    .run(leaver.id, word, sizes.audits, now);
  primary.exec("commit");
  return {
    reader: signIn(databases, reader.id, now),
    refused: signIn(databases, refused.id, now - 11 * MINUTE_MS),
    leaver: { ...signIn(databases, leaver.id, now), words: [word, leaver.phone] },
  };
}

/** Stores a document in R2 and a denylist entry in KV for the user; no server may be running. */
export async function putFiles(state: string, { userId, sessionId }: Person): Promise<void> {
  const { env, dispose } = await getPlatformProxy<Env>({
    configPath: join(root, "wrangler.toml"),
    persist: { path: join(state, "v3") },
  });
  try {
    await env.KYC_BUCKET.put(`kyc/${userId}/document`, "canary");
    await env.KV.put(`deny:${sessionId}`, "1");
  } finally {
    await dispose();
  }
}
