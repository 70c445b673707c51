import { type Databases, inserter } from "../../../scripts/seed/databases.ts";
import { keyringOf } from "../../../scripts/seed/seed-users.ts";
import { sessions } from "../../../src/db/sign-in-schema.ts";
import { mintRefreshToken } from "../../../src/sessions/tokens.ts";
import { accessToken } from "../state.ts";
import { type Person, USER_AGENT } from "./requests.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Gives `count` users a session each. */
export async function preparePeople({ primary }: Databases, vars: Record<string, string>, count: number) {
  const keyring = await keyringOf(vars);
  const config = { issuer: vars.ISSUER ?? "", audience: vars.AUDIENCE ?? "" };
  const insertSession = inserter(primary, sessions);
  const now = Date.now();
  const found = primary
    .prepare("select id from users where status = 'ACTIVE' and role = 'user' and phone_verified order by id limit ?")
    .all(count) as { id: string }[];
  if (found.length < count) throw new Error(`only ${found.length} of ${count} users can have a session`);
  const people: Person[] = [];
  for (const [i, user] of found.entries()) {
    const session = {
      id: idOf(i),
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
    const refreshToken = await mintRefreshToken(
      { keyring, config, now: Date.now, newId: () => "" } as unknown as Parameters<typeof mintRefreshToken>[0],
      session,
    );
    people.push({
      userId: user.id,
      sessionId: session.id,
      accessToken: await accessToken(vars, { userId: user.id, sessionId: session.id }),
      refreshToken: refreshToken ?? "",
    });
  }
  return people;
}

const idOf = (i: number) => `019a0001-0000-7000-8000-${String(i).padStart(12, "0")}`;
