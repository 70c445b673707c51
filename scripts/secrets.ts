import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { parseEnv } from "node:util";

type SecretName = "ACCESS_TOKEN_KEYS" | "TOKEN_SECRETS" | "DATA_SECRETS" | "LOOKUP_SECRET";

/** A new value for each required secret. */
export function newSecrets(): Record<SecretName, string> {
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

/** The secrets in a file of the form of .dev.vars; missing ones are generated and appended first. */
export function secretsIn(file: string): Record<SecretName, string> {
  const known = existsSync(file) ? readFileSync(file, "utf8") : "";
  const wanted = Object.entries(newSecrets());
  const missing = wanted.filter(([name]) => !new RegExp(`^${name}=`, "m").test(known));
  const text = known.replace(/\n?$/, known && "\n") + missing.map(([name, value]) => `${name}='${value}'\n`).join("");
  if (missing.length > 0) {
    writeFileSync(file, text, { mode: 0o600 });
    const names = missing.length < wanted.length ? `: ${missing.map(([name]) => name).join(", ")}` : "";
    console.log(`Generated secrets for this machine in ${basename(file)}${names}.`);
  }
  return parseEnv(text) as Record<SecretName, string>;
}
