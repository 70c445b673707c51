import type { Config } from "../../platform/config/config.ts";
import { type DataKeys, dataKeysFor } from "../../platform/config/data-keys.ts";
import { deriveHmacKey } from "../../platform/crypto.ts";

declare module "../../platform/config/keyring.ts" {
  interface Keyring {
    /** Encrypts document numbers. */
    documentNumber: DataKeys;
    /** Key for hashes that recognise equal document numbers. */
    documentNumberIndex: CryptoKey;
  }
}

/** Derives the keys of document numbers. */
export async function deriveKycKeys(config: Pick<Config, "dataSecrets" | "lookupSecret">) {
  return {
    documentNumber: await dataKeysFor(config, "document-number"),
    documentNumberIndex: await deriveHmacKey(config.lookupSecret, "document-number"),
  };
}
