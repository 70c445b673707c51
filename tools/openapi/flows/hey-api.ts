import { createClient } from "../generated/hey-api/client";
import {
  deleteAccount,
  getAccount,
  logout,
  refreshTokens,
  register,
  requestCode,
  submitKyc,
  updateProfile,
  verifyCode,
} from "../generated/hey-api/index.ts";
import { dataOf, expectEqual, type Setting } from "./setting.ts";

/** The life of an account, with the client of @hey-api/openapi-ts. */
export async function run({ proxy, readCode, newIdentifier, document }: Setting): Promise<void> {
  const client = createClient({ baseUrl: proxy });
  const as = (token: string) => ({ client, auth: token });

  async function signUp() {
    const identifier = newIdentifier();
    dataOf(await requestCode({ client, body: { identifier } }), "request");
    const otp = await readCode(identifier);
    const { verification_token } = dataOf(await verifyCode({ client, body: { identifier, otp } }), "verify");
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    return dataOf(await register({ client, headers, body: { identifier, verification_token } }), "register");
  }

  const { access_token, refresh_token } = await signUp();
  const change = { full_name: "Asha Gurung", date_of_birth: "1998-04-13", address: "Lakeside, Pokhara" };
  const profile = dataOf(await updateProfile({ ...as(access_token), body: change }), "profile");
  expectEqual(profile.is_profile_complete, true);

  const files = { document_front: document(), document_back: document() };
  const kyc = dataOf(
    await submitKyc({ ...as(access_token), body: { document_number: "12-34-56-78901", ...files } }),
    "kyc",
  );
  expectEqual(kyc.status, "PENDING");

  const tokens = dataOf(await refreshTokens({ client, body: { refresh_token } }), "refresh");
  dataOf(await logout({ ...as(tokens.access), body: { refresh_token: tokens.refresh } }), "logout");
  const { response, error } = await getAccount(as(tokens.access));
  expectEqual(response?.status, 401);
  expectEqual(error?.error.code, "token_not_valid");

  const leaving = await signUp();
  dataOf(await deleteAccount({ ...as(leaving.access_token), body: {} }), "deletion");
}
