import { deriveSealingKey } from "../crypto.ts";
import type { Config } from "./config.ts";

/** Keys for long-lived encrypted data: the id of the current key, and all keys by id. */
export interface DataKeys {
  kid: string;
  keys: ReadonlyMap<string, CryptoKey>;
}

/** Derives the keys of one purpose from DATA_SECRETS. */
export async function dataKeysFor({ dataSecrets }: Pick<Config, "dataSecrets">, purpose: string): Promise<DataKeys> {
  const [current] = dataSecrets;
  if (!current) throw new Error("the configuration was not parsed");
  const keys = dataSecrets.map(
    async ({ kid, secret }): Promise<[string, CryptoKey]> => [kid, await deriveSealingKey(secret, purpose)],
  );
  return { kid: current.kid, keys: new Map(await Promise.all(keys)) };
}
