import { code, table } from "./markdown.ts";

interface StoredKey {
  store: "KV" | "R2";
  key: string;
  value: string;
  life: string;
  writtenBy: string;
  deletedBy: string;
}

/** Every kind of key in KV and R2. */
export const storedKeys: readonly StoredKey[] = [
  {
    store: "KV",
    key: "otp:{keyed hash of the identifier}",
    value: "ids of the identifier's live codes and of their secrets: a hint, D1 decides",
    life: "300 seconds",
    writtenBy: "POST /api/auth/otp/request, after the response",
    deletedBy: "its TTL, finish_account_deletion",
  },
  {
    store: "KV",
    key: "deny:{session_id}",
    value: "`1`",
    life: "90 days",
    writtenBy: "logout, ended sessions and a reused refresh token, after the response",
    deletedBy: "its TTL, finish_account_deletion",
  },
  {
    store: "R2",
    key: "kyc/{user_id}/{document_id}",
    value: "one document; its content type is in the HTTP metadata",
    life: "while a KYC references it",
    writtenBy: "POST and PATCH /api/users/kyc, create-only",
    deletedBy: "the upload that replaces it, sweep_kyc_uploads, finish_account_deletion",
  },
];

export const storedKeyTable = () =>
  table(
    ["Store", "Key", "Value", "Lifetime", "Written by", "Deleted by"],
    storedKeys.map(({ store, key, value, life, writtenBy, deletedBy }) => [
      store,
      code(key),
      value,
      life,
      writtenBy,
      deletedBy,
    ]),
  );
