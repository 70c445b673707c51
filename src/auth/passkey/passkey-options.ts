import type { Deps } from "../../platform/deps.ts";
import { CHALLENGE_TTL_MS, type ChallengeScope, mintChallenge } from "./passkey-challenge.ts";
import type { Passkeys } from "./passkey-settings.ts";
import { ALGORITHMS, userHandleOf } from "./webauthn.ts";

type OptionsDeps = Pick<Deps, "config" | "keyring" | "now" | "randomBytes">;

/** A passkey that options name. */
interface Named {
  credentialId: string;
  transports: string[] | null;
}

/** The person that a new passkey is for. */
export interface PasskeyOwner {
  userId: string;
  /** What the password manager shows: a verified identifier, else the username. */
  name: string;
  displayName: string;
}

const descriptorOf = ({ credentialId, transports }: Named) => ({
  type: "public-key" as const,
  id: credentialId,
  ...(transports && transports.length > 0 ? { transports } : {}),
});

/**
 * Options of `navigator.credentials.get()`, as `PublicKeyCredential.parseRequestOptionsFromJSON` takes them.
 *
 * @param own the only passkeys that may answer; none at a sign-in, so that options say nothing of any account.
 */
export async function requestOptions(
  deps: OptionsDeps,
  { rpId }: Passkeys,
  scope: ChallengeScope,
  own: readonly Named[],
) {
  return {
    challenge: await mintChallenge(deps, scope),
    rpId,
    timeout: CHALLENGE_TTL_MS,
    userVerification: "required" as const,
    allowCredentials: own.map(descriptorOf),
  };
}

/**
 * Options of `navigator.credentials.create()`, as `PublicKeyCredential.parseCreationOptionsFromJSON` takes them: a
 * discoverable passkey with user verification.
 *
 * @param own the person's passkeys, so that an authenticator makes no second one.
 */
export async function creationOptions(
  deps: OptionsDeps,
  { rpId }: Passkeys,
  scope: ChallengeScope,
  owner: PasskeyOwner,
  own: readonly Named[],
) {
  return {
    challenge: await mintChallenge(deps, scope),
    rp: { id: rpId, name: deps.config.appName },
    user: { id: userHandleOf(owner.userId), name: owner.name, displayName: owner.displayName },
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key" as const, alg })),
    timeout: CHALLENGE_TTL_MS,
    excludeCredentials: own.map(descriptorOf),
    authenticatorSelection: {
      residentKey: "required" as const,
      requireResidentKey: true,
      userVerification: "required" as const,
    },
    attestation: "none" as const,
  };
}
