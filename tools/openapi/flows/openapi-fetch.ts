import createClient from "openapi-fetch";
import type { paths } from "../generated/openapi-typescript/schema.d.ts";
import { dataOf, expectEqual, type Setting } from "./setting.ts";

/** The life of an account, with the types of openapi-typescript. */
export async function run({ proxy, readCode, newIdentifier, document }: Setting): Promise<void> {
  const api = createClient<paths>({ baseUrl: proxy });
  const withToken = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

  async function signUp() {
    const identifier = newIdentifier();
    dataOf(await api.POST("/api/auth/otp/request", { body: { identifier } }), "request");
    const body = { identifier, otp: await readCode(identifier) };
    const { verification_token } = dataOf(await api.POST("/api/auth/otp/verify", { body }), "verify");
    const params = { header: { "Idempotency-Key": crypto.randomUUID() } };
    const proof = { identifier, verification_token };
    return dataOf(await api.POST("/api/auth/register", { params, body: proof }), "register");
  }

  const { access_token, refresh_token } = await signUp();
  const change = { full_name: "Asha Gurung", date_of_birth: "1998-04-13", address: "Lakeside, Pokhara" };
  const profile = dataOf(
    await api.PATCH("/api/users/profile", { ...withToken(access_token), body: change }),
    "profile",
  );
  expectEqual(profile.is_profile_complete, true);

  const kyc = dataOf(
    await api.POST("/api/users/kyc", {
      ...withToken(access_token),
      body: { document_number: "12-34-56-78901", document_front: "", document_back: "" },
      bodySerializer: ({ document_number }) => {
        const form = new FormData();
        form.set("document_number", document_number);
        form.set("document_front", document(), "front.pdf");
        form.set("document_back", document(), "back.pdf");
        return form;
      },
    }),
    "kyc",
  );
  expectEqual(kyc.status, "PENDING");

  const tokens = dataOf(await api.POST("/api/auth/refresh", { body: { refresh_token } }), "refresh");
  const body = { refresh_token: tokens.refresh };
  dataOf(await api.POST("/api/auth/logout", { ...withToken(tokens.access), body }), "logout");
  const { response, error } = await api.GET("/api/auth/me", withToken(tokens.access));
  expectEqual(response.status, 401);
  expectEqual(error?.error.code, "token_not_valid");

  const leaving = await signUp();
  dataOf(await api.DELETE("/api/auth/account", { ...withToken(leaving.access_token), body: {} }), "deletion");
}
