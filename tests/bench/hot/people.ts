import { randomBytes } from "node:crypto";
import { type Databases, inserter } from "../../../scripts/seed/databases.ts";
import { keyringOf } from "../../../scripts/seed/seed-users.ts";
import { newVerificationToken } from "../../../src/auth/otp/verification-token.ts";
import { familiarNetworks, sessions, verificationTokens } from "../../../src/db/sign-in-schema.ts";
import { mintRefreshToken } from "../../../src/sessions/tokens.ts";
import { accessToken } from "../state.ts";
import { type Person, USER_AGENT } from "./requests.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Gives `count` users what the routes require: a session, and a verification token to sign in with. Also creates as
 * many verification tokens for new identifiers.
 */
export async function preparePeople({ primary }: Databases, vars: Record<string, string>, count: number) {
  const keyring = await keyringOf(vars);
  const config = { issuer: vars.ISSUER ?? "", audience: vars.AUDIENCE ?? "" };
  const insertSession = inserter(primary, sessions);
  const insertToken = inserter(primary, verificationTokens);
  const insertNetwork = inserter(primary, familiarNetworks);
  const now = Date.now();
  const found = primary
    .prepare(
      `select id, phone_number from users where status = 'ACTIVE' and role = 'user'
        and phone_verified order by id limit ?`,
    )
    .all(count) as { id: string; phone_number: string }[];
  if (found.length < count) throw new Error(`only ${found.length} of ${count} users can sign in`);
  const people: Person[] = [];
  for (const [i, user] of found.entries()) {
    const identifier = user.phone_number;
    const session = {
      id: idOf(1, i),
      userId: user.id,
      counter: 0,
      refreshKeyId: keyring.currentSecretId,
      rotatedAt: now - DAY_MS,
      idleExpiresAt: now + DAY_MS,
    };
    insertSession({
      ...session,
      createdAt: now - DAY_MS,
      lastUsedAt: now,
      activityAt: now,
      rotatedBy: "none",
      replays: 0,
      idleTtlMs: 60 * DAY_MS,
      absoluteExpiresAt: now + 30 * DAY_MS,
      ip: "10.0.0.1",
      userAgent: USER_AGENT,
      method: "OTP_PHONE",
    });
    insertNetwork({ identifier, network: "10.0.0.0/24", lastSignInAt: now - DAY_MS });
    const refreshToken = await mintRefreshToken(
      { keyring, config, now: Date.now, newId: () => "" } as unknown as Parameters<typeof mintRefreshToken>[0],
      session,
    );
    const newIdentifier = `bench-${i}@example.com`;
    people.push({
      userId: user.id,
      identifier,
      sessionId: session.id,
      accessToken: await accessToken(vars, { userId: user.id, sessionId: session.id }),
      refreshToken: refreshToken ?? "",
      loginToken: await proofOf(identifier),
      registerToken: await proofOf(newIdentifier),
      newIdentifier,
    });
  }
  return people;

  async function proofOf(identifier: string): Promise<string> {
    const { value, ...token } = await newVerificationToken({ keyring, randomBytes });
    insertToken({ ...token, identifier, challengeId: "none", createdAt: now, expiresAt: now + DAY_MS });
    return value;
  }
}

const idOf = (kind: number, i: number) => `019a000${kind}-0000-7000-8000-${String(i).padStart(12, "0")}`;
