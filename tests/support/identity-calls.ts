import { vi } from "vitest";
import { type CallOptions, call, logIn, newIp, verify } from "./client.ts";
import { run } from "./database.ts";

/** `GET auth/identity` with the access token. */
export const getIdentity = (token: string, options: CallOptions = {}) =>
  call("GET", "/api/auth/identity", { ...options, token });

/** A verification token of the identifier, from a network of its own. */
export async function freshToken(identifier: string, options: CallOptions = {}) {
  await forgetSends(identifier);
  return verify(identifier, { ip: newIp(), ...options });
}

/** Signs in again, from a network of its own. */
export async function signInAgain(identifier: string, options: CallOptions = {}) {
  await forgetSends(identifier);
  return logIn(identifier, { ip: newIp(), ...options });
}

/** Excludes earlier codes from the sending limits; advances a stopped clock, so that the next code gets a later id. */
async function forgetSends(identifier: string) {
  if (vi.isFakeTimers()) vi.setSystemTime(Date.now() + 1);
  await run("update otp_challenges set network_class = 'familiar', mailbox = null where identifier = ?", identifier);
}

/** Adds or replaces the identifier, which is verified first. */
export async function setIdentifier(token: string, identifier: string, options: CallOptions = {}) {
  const verification_token = await freshToken(identifier, options);
  return putIdentifier(token, identifier, verification_token, options);
}

/** `PUT auth/identity/email` or `/phone`. */
export function putIdentifier(
  token: string,
  identifier: string,
  verification_token: string,
  options: CallOptions & { start_over?: boolean } = {},
) {
  const { start_over, ...rest } = options;
  const [path, field] = identifier.includes("@") ? ["email", "email"] : ["phone", "phone_number"];
  const json = { [field]: identifier, verification_token, ...(start_over === undefined ? {} : { start_over }) };
  return call("PUT", `/api/auth/identity/${path}`, { ip: newIp(), ...rest, token, json });
}

/** `DELETE auth/identity/email` or `/phone`. */
export const removeIdentifier = (token: string, kind: "email" | "phone", options: CallOptions = {}) =>
  call("DELETE", `/api/auth/identity/${kind}`, { ip: newIp(), ...options, token });

/** `POST auth/proof` with a token. */
export const prove = (token: string, verification_token: string, options: CallOptions = {}) =>
  call("POST", "/api/auth/proof", { ...options, token, json: { verification_token } });

/** Verifies the former identifier again and disputes its change. */
export async function dispute(identifier: string, options: CallOptions = {}) {
  const verification_token = await freshToken(identifier, options);
  return call("POST", "/api/auth/identity/dispute", { ...options, json: { identifier, verification_token } });
}
