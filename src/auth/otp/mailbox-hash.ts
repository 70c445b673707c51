import { base64url } from "jose";
import { keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { mailboxOf } from "../../users/mailbox.ts";

/** The mailbox behind an e-mail address, by which codes to all of its spellings are limited. */
export interface Mailbox {
  /** The address that `mailboxOf` returns. Codes to it are found by their identifier. */
  address: string;
  /** Keyed hash under which codes to the other spellings, and to deleted accounts, are found. */
  hash: string;
}

/** The mailbox of a canonical e-mail address. */
export async function hashMailbox(deps: Pick<Deps, "keyring">, email: string): Promise<Mailbox> {
  const address = mailboxOf(email);
  return { address, hash: base64url.encode(await keyedHash(deps.keyring.lookup, "mailbox", address)) };
}
