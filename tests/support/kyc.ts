import { decodeJwt } from "jose";
import { expect } from "vitest";
import { type Answer, type CallOptions, call, type SignedIn, testEnv } from "./client.ts";
import { run } from "./database.ts";
import { file, jpeg } from "./documents.ts";
import { fetchDocument, findDeviations, type OpenApiDocument } from "./openapi.ts";
import { newUser } from "./people.ts";

export { newUser };

export const KYC = "/api/users/kyc";

let openApi: OpenApiDocument | undefined;

/** Calls the API and checks the response against the OpenAPI document. */
export async function documented(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  openApi ??= await fetchDocument();
  const answer = await call(method, path, options);
  const { status, body } = answer;
  expect(findDeviations(openApi, { method, path, status, body })).toEqual([]);
  return answer;
}

/** For tests that send more calls per minute than the write limit allows. */
export const withoutWriteLimit = {
  USER_RATE_LIMITER: { limit: async () => ({ success: true }) } as RateLimit,
} as Partial<Env>;

/** Grants the user the role in the database, as the command does; sessions stay open. */
export async function promote({ userId }: SignedIn, role = "staff"): Promise<void> {
  await run("update users set role = ? where id = ?", role, userId);
}

export async function newStaff(env: Partial<Env> = {}): Promise<SignedIn> {
  const staff = await newUser(env);
  await promote(staff);
  return staff;
}

let serial = Math.floor(Math.random() * 1e9);
/** Returns an unused document number. */
export const newNumber = () => `NP-${serial++}`;

/** The fields and files of a complete submission. */
export const whole = (more: Record<string, string | File> = {}) => ({
  document_number: newNumber(),
  document_front: file(jpeg()),
  ...more,
});

export const submit = (
  { access }: SignedIn,
  multipart: Record<string, string | File> = whole(),
  more: CallOptions = {},
) => documented("POST", KYC, { token: access, multipart, ...more });

export const amend = ({ access }: SignedIn, options: CallOptions) =>
  documented("PATCH", KYC, { token: access, ...options });

/** Path and query of a link. */
export function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

export const documentIdOf = (url: string) => new URL(url).pathname.split("/").at(-1) ?? "";

export const keysOf = async ({ userId }: SignedIn) =>
  (await testEnv.KYC_BUCKET.list({ prefix: `kyc/${userId}/` })).objects.map(({ key }) => key);

/** The stored bytes of the user's only file. */
export async function storedBytes(user: SignedIn): Promise<Uint8Array> {
  const [key = "", ...others] = await keysOf(user);
  expect(others).toEqual([]);
  const object = await testEnv.KYC_BUCKET.get(key);
  return new Uint8Array((await object?.arrayBuffer()) ?? []);
}

/** Resets the user's daily upload limit. */
export async function forgetUploads({ userId }: SignedIn): Promise<void> {
  await run("delete from kyc_uploads where user_id = ?", userId);
}

export const sessionOf = ({ access }: SignedIn) => String(decodeJwt(access).sid);

/** Opens every file of the user's submission as the reviewer, and returns the submission. */
export async function look(reviewer: SignedIn, { userId }: SignedIn) {
  const { status, body } = await documented("GET", `/api/users/${userId}/kyc`, { token: reviewer.access });
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  for (const url of [body.data.document_front_url, body.data.document_back_url]) {
    if (url) expect((await call("GET", pathOf(url))).status).toBe(200);
  }
  return body.data;
}

export const decide = (reviewer: SignedIn, { userId }: SignedIn, json: Record<string, unknown>) =>
  documented("PATCH", `/api/users/${userId}/kyc`, { token: reviewer.access, json });

export const codeOf = ({ status, body }: Answer) => [status, body.error?.code];
