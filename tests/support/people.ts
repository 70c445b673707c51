import { newCid } from "../../src/auth/otp/cid.ts";
import { mintVerificationToken } from "../../src/auth/otp/verification-token.ts";
import { buildDeps } from "../../src/build-deps.ts";
import { type CallOptions, call, newIp, newPhone, type SignedIn, testEnv } from "./client.ts";
import { run } from "./database.ts";

/** Makes a call that must succeed and returns its response. */
export async function must(method: string, path: string, options: CallOptions = {}) {
  const answer = await call(method, path, options);
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/**
 * Inserts a verified code of the identifier and returns its verification token, for users whose codes are not under
 * test. The code is a day old, so that no limit counts it.
 */
export async function tokenFor(identifier: string): Promise<string> {
  const deps = await buildDeps(testEnv, { waitUntil: () => {} }, "");
  const [secretId, now] = [deps.keyring.currentSecretId, deps.now()];
  const cid = newCid({ ...deps, now: () => now - 86_401_000 });
  await run(
    `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, created_at,
      expires_at, attempts_familiar, attempts_other, consumed_by, consumed_at, consumed_network)
      values (?1, ?2, 'n', 1, 'other', '', ?3, ?4, ?4, 0, 0, ?1, ?5, 'n')`,
    cid,
    identifier,
    secretId,
    now - 86_401_000,
    now,
  );
  return (await mintVerificationToken(deps, cid, secretId)) ?? "";
}

const signedInAs = (identifier: string, data: Record<string, string>): SignedIn => ({
  identifier,
  userId: data.user_id ?? "",
  access: data.access_token ?? "",
  refresh: data.refresh_token ?? "",
});

/** Registers a new user with an inserted code, in one call; `signUp` makes every call of a sign-up. */
export async function newUser(env: Partial<Env> = {}, more: Record<string, string> = {}): Promise<SignedIn> {
  const identifier = newPhone();
  const json = { identifier, verification_token: await tokenFor(identifier), ...more };
  return signedInAs(identifier, (await must("POST", "/api/auth/register", { ip: newIp(), json, env })).data);
}

/** Signs the user in on another device. */
export async function signInAgain({ identifier }: SignedIn, env: Partial<Env> = {}): Promise<SignedIn> {
  const json = { identifier, verification_token: await tokenFor(identifier) };
  const headers = { "user-agent": crypto.randomUUID() };
  return signedInAs(identifier, (await must("POST", "/api/auth/login", { ip: newIp(), json, headers, env })).data);
}
