import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { importJWK, SignJWT } from "jose";
import { secretsIn } from "../../scripts/secrets.ts";
import { type Databases, inserter, openDatabases } from "../../scripts/seed/databases.ts";
import { seedUsers } from "../../scripts/seed/seed-users.ts";
import { sessions } from "../../src/db/sign-in-schema.ts";
import { users } from "../../src/db/user-schema.ts";

const root = join(import.meta.dirname, "..", "..");
/** Folder for data that the benchmarks keep. */
export const folder = join(root, ".wrangler", "bench");
/** All seeded users joined before this day; it is fixed because the seeded databases are kept. */
const UNTIL = Date.parse("2026-08-01");
const HOUR_MS = 60 * 60 * 1000;

/** The secrets, kept with the data that was encrypted with them. */
function benchSecrets(): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  return secretsIn(join(folder, "secrets"));
}

/**
 * The folder with the databases of this number of users. Seeds them if they do not exist; the name shows when they are
 * complete, and of which migrations they are.
 */
export async function stateOf(count: number): Promise<string> {
  const state = join(folder, `${count}-${migrationsDigest()}`);
  if (existsSync(state)) return state;
  const part = `${state}.part`;
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    // Databases of this many users with an earlier schema, or seeded in part.
    if (name.split("-")[0] === String(count)) rmSync(join(folder, name), { recursive: true });
  }
  console.error(`Seeding ${count} users …`);
  const seeding = { users: count, seed: 1, until: UNTIL, secrets: benchSecrets(), onProgress: () => {} };
  await seedUsers({ persistTo: part, state: part, ...seeding });
  renameSync(part, state);
  return state;
}

/** Differs for each schema of the databases. */
function migrationsDigest(): string {
  const hash = createHash("sha256");
  const migrations = join(root, "migrations");
  const files = readdirSync(migrations, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sql"));
  for (const file of files.sort()) hash.update(readFileSync(join(migrations, file)));
  return hash.digest("hex").slice(0, 8);
}

/** Runs `work` on the databases and returns its result; no server may have them open. */
export async function withDatabases<T>(state: string, work: (databases: Databases) => T | Promise<T>): Promise<T> {
  const databases = openDatabases(state);
  if (!databases) throw new Error(`${state} holds no databases`);
  try {
    return await work(databases);
  } finally {
    databases.close();
  }
}

/** Creates the admin who makes the calls and has seen nothing yet, and the session of the token. @throws Error if a seeded user is in the way. */
export function letAdminIn({ primary }: Databases): void {
  const now = Date.now();
  inserter(
    primary,
    users,
  )({
    id: ADMIN.userId,
    username: "bench-admin",
    usernameKey: "bench-admin",
    email: "bench-admin@example.com",
    emailVerified: true,
    phoneVerified: false,
    referralCode: "REFBENCH0",
    status: "ACTIVE",
    role: "admin",
    socialProvider: "EMAIL",
    locale: "en",
    dateJoined: now,
    lastLogin: now,
    updatedAt: now,
    version: 1,
    kycStatus: "NOT_SUBMITTED",
    unreadNotifications: 0,
  });
  if (!primary.prepare("select 1 from users where id = ?").get(ADMIN.userId)) {
    throw new Error("a seeded user has the username or address of the benchmarks' admin");
  }
  primary.prepare("delete from audit_logs where actor_id = ?").run(ADMIN.userId);
  primary.prepare("delete from sessions where id = ?").run(ADMIN.sessionId);
  inserter(
    primary,
    sessions,
  )({
    id: ADMIN.sessionId,
    userId: ADMIN.userId,
    createdAt: now,
    lastUsedAt: now,
    activityAt: now,
    counter: 0,
    refreshKeyId: "none",
    rotatedAt: now,
    rotatedBy: "none",
    replays: 0,
    idleTtlMs: 12 * HOUR_MS,
    idleExpiresAt: now + 12 * HOUR_MS,
    absoluteExpiresAt: now + 24 * HOUR_MS,
    ip: "127.0.0.1",
    method: "OTP_EMAIL",
  });
}

/** An access token that is valid for the whole run. */
export async function accessToken(
  { ACCESS_TOKEN_KEYS = "[]", ISSUER = "", AUDIENCE = "" }: Record<string, string>,
  { userId, sessionId }: { userId: string; sessionId: string },
): Promise<string> {
  const [key] = JSON.parse(ACCESS_TOKEN_KEYS) as { kid: string }[];
  if (!key) throw new Error("no signing key");
  return new SignJWT({ user_id: userId, sid: sessionId, token_type: "access" })
    .setProtectedHeader({ alg: "EdDSA", kid: key.kid, typ: "at+jwt" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(userId)
    .setJti(sessionId)
    .setIssuedAt()
    .setExpirationTime("6h")
    .sign(await importJWK(key, "EdDSA"));
}

/** The variables of all benchmarked servers. */
export function benchVars(): Record<string, string> {
  return { ...benchSecrets(), ISSUER: "http://localhost:8787", AUDIENCE: "users-api-bench" };
}

/** The admin who makes the calls, and the session. */
export const ADMIN = {
  userId: "019a0000-0000-7000-8000-000000000001",
  sessionId: "019a0000-0000-7000-8000-000000000002",
};
