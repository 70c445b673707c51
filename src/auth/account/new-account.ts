import { randomText } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { Username } from "../../users/username.ts";
import type { NewAccount } from "./new-account.store.ts";

/** Referral codes generated per registration; the account gets the first that is not taken. */
const REFERRAL_CODE_CANDIDATES = 3;
const REFERRAL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** A new account with a generated user id and generated candidates for its referral code (`REF` and 6 characters). */
export function generateAccountIds(
  deps: Pick<Deps, "newId" | "randomBytes">,
  client: Pick<Client, "locale">,
  usernames: Username[],
  referredBy: string | undefined,
  identities: string[],
): NewAccount {
  return {
    userId: deps.newId(),
    usernames,
    referralCodes: Array.from(
      { length: REFERRAL_CODE_CANDIDATES },
      () => `REF${randomText(deps.randomBytes, REFERRAL_ALPHABET, 6)}`,
    ),
    identities,
    referredBy,
    locale: client.locale,
  };
}
