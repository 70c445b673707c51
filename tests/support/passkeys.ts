import { expect } from "vitest";
import { Authenticator, type Overrides } from "./authenticator.ts";
import { type Answer, type CallOptions, call, newIp, type SignedIn } from "./client.ts";
import { run } from "./database.ts";
import { documented } from "./kyc.ts";

type Options = Parameters<typeof Authenticator.create>[0];

/** Options of a sign-in, from another network each time. */
export async function signInOptions(options: CallOptions = {}): Promise<{ challenge: string }> {
  const answer = await call("POST", "/api/auth/passkey/options", { ip: newIp(), ...options });
  if (answer.status !== 200) throw new Error(`passkey/options: ${JSON.stringify(answer.body)}`);
  return answer.body.data.public_key;
}

/** Options of a ceremony of the person's session. */
export async function ownOptions(person: SignedIn, purpose: "REGISTER" | "PROOF", options: CallOptions = {}) {
  const json = { purpose };
  const answer = await call("POST", "/api/auth/passkeys/options", { token: person.access, json, ...options });
  if (answer.status !== 200) throw new Error(`passkeys/options: ${JSON.stringify(answer.body)}`);
  return answer.body.data.public_key;
}

/** Adds a passkey to the person's account. */
export async function addPasskey(
  person: SignedIn,
  { options = {}, ...made }: Options & { options?: CallOptions } = {},
) {
  const authenticator = await Authenticator.create(made);
  const credential = await authenticator.register(await ownOptions(person, "REGISTER", options));
  const answer = await register(person, credential, options);
  if (answer.status !== 201) throw new Error(`passkeys: ${JSON.stringify(answer.body)}`);
  return { authenticator, passkey: answer.body.data };
}

export const register = (person: SignedIn, credential: unknown, options: CallOptions = {}) =>
  call("POST", "/api/auth/passkeys", { token: person.access, json: { credential, name: "Phone" }, ...options });

export const logInWith = (credential: unknown, options: CallOptions = {}): Promise<Answer> =>
  documented("POST", "/api/auth/passkey/login", { json: { credential }, ip: newIp(), ...options });

/** Signs in by the passkey, and expects success. */
export async function signInBy(authenticator: Authenticator, options: CallOptions = {}): Promise<SignedIn> {
  const answer = await logInWith(await authenticator.assert(await signInOptions(options)), options);
  if (answer.status !== 200) throw new Error(`passkey/login: ${JSON.stringify(answer.body)}`);
  const { user_id, access_token, refresh_token } = answer.body.data;
  return { identifier: "", userId: user_id, access: access_token, refresh: refresh_token };
}

/** Proves the person's session by the passkey. */
export async function proveBy(
  person: SignedIn,
  authenticator: Authenticator,
  { overrides = {}, ...options }: CallOptions & { overrides?: Overrides } = {},
): Promise<Answer> {
  const credential = await authenticator.assert(await ownOptions(person, "PROOF", options), overrides);
  return documented("POST", "/api/auth/proof", { token: person.access, json: { credential }, ...options });
}

/** Makes the sign-ins and proofs of the person's sessions older. */
export const age = (person: SignedIn, milliseconds: number) =>
  run(
    `update sessions set created_at = created_at - ?1, proved_at = proved_at - ?1, passkey_at = passkey_at - ?1
      where user_id = ?2`,
    milliseconds,
    person.userId,
  );

export function expectError(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.body.error?.code], JSON.stringify(answer.body)).toEqual([status, code]);
}
