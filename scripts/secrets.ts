import { generateKeyPairSync, randomBytes } from "node:crypto";

/** Fresh secrets, one value for each name that the configuration asks for. */
export function newSecrets(): Record<"ACCESS_TOKEN_KEYS" | "TOKEN_SECRETS" | "DATA_SECRETS" | "LOOKUP_SECRET", string> {
  const kid = `k${new Date().toISOString().slice(0, 10).replaceAll("-", "")}-${randomBytes(3).toString("hex")}`;
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const secret = () => randomBytes(32).toString("base64url");
  return {
    ACCESS_TOKEN_KEYS: JSON.stringify([{ kid, kty, crv, x, d }]),
    TOKEN_SECRETS: JSON.stringify([{ kid, secret: secret() }]),
    DATA_SECRETS: JSON.stringify([{ kid, secret: secret() }]),
    LOOKUP_SECRET: secret(),
  };
}
