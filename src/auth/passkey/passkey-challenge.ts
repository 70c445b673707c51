import { base64url } from "jose";
import { equalInConstantTime, keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { MINUTE_MS } from "../../platform/time.ts";

// A challenge is 16 random bytes, 6 bytes of the time of issue, and an HMAC-SHA-256 of both and of what it is for. It
// comes back in the client data, so nothing is stored until it is used: anyone may ask for one.

/** How long a challenge can be answered, in milliseconds. A page keeps its request open for as long as it is shown. */
export const CHALLENGE_TTL_MS = 10 * MINUTE_MS;
const RANDOM_BYTES = 16;
const HEAD_BYTES = RANDOM_BYTES + 6;
const MAC_BYTES = 32;
/** Length of a challenge, base64url. */
const LENGTH = ((HEAD_BYTES + MAC_BYTES) * 4) / 3;

/** What a challenge is for. One that signs in belongs to no session, because it is issued to anyone. */
export type ChallengeScope =
  | { purpose: "sign_in" }
  | { purpose: "register" | "proof"; sessionId: string; userId: string };

type ChallengeDeps = Pick<Deps, "keyring" | "now" | "randomBytes">;

/** Issues a challenge, base64url, good for `CHALLENGE_TTL_MS`. The batch that accepts the answer must record it. */
export async function mintChallenge(deps: ChallengeDeps, scope: ChallengeScope): Promise<string> {
  const head = new Uint8Array(HEAD_BYTES);
  head.set(deps.randomBytes(RANDOM_BYTES));
  new DataView(head.buffer).setUint16(RANDOM_BYTES, Math.floor(deps.now() / 2 ** 32));
  new DataView(head.buffer).setUint32(RANDOM_BYTES + 2, deps.now() % 2 ** 32);
  const key = deps.keyring.secrets.get(deps.keyring.currentSecretId)?.passkeyChallenge;
  if (!key) throw new Error("the current secret is not in the keyring");
  const challenge = new Uint8Array(HEAD_BYTES + MAC_BYTES);
  challenge.set(head);
  challenge.set(await sign(key, scope, head), HEAD_BYTES);
  return base64url.encode(challenge);
}

/**
 * How long ago this service issued the challenge for this scope, in milliseconds; undefined if it did not. Checks
 * neither expiry nor earlier uses.
 */
export async function ageOfChallenge(
  deps: Pick<Deps, "keyring" | "now">,
  scope: ChallengeScope,
  challenge: string,
): Promise<number | undefined> {
  if (challenge.length !== LENGTH || !/^[\w-]+$/.test(challenge)) return undefined;
  const bytes = base64url.decode(challenge);
  const head = bytes.subarray(0, HEAD_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const issuedAt = view.getUint16(RANDOM_BYTES) * 2 ** 32 + view.getUint32(RANDOM_BYTES + 2);
  for (const { passkeyChallenge } of deps.keyring.secrets.values()) {
    const mac = await sign(passkeyChallenge, scope, head);
    if (equalInConstantTime(bytes.subarray(HEAD_BYTES), mac)) return deps.now() - issuedAt;
  }
  return undefined;
}

/** What an answer to a challenge can do: use it, or only repeat the call that used it, perhaps in its last moment. */
export type ChallengeStage = "use" | "repeat";

/**
 * The stage of the challenge.
 *
 * @param repeatMs how long after its use a call can be repeated, in milliseconds.
 * @returns undefined if this service did not issue the challenge for this scope, or issued it too long ago.
 */
export async function stageOfChallenge(
  deps: Pick<Deps, "keyring" | "now">,
  scope: ChallengeScope,
  challenge: string,
  repeatMs: number,
): Promise<ChallengeStage | undefined> {
  const ageMs = await ageOfChallenge(deps, scope, challenge);
  if (ageMs === undefined || ageMs >= CHALLENGE_TTL_MS + repeatMs) return undefined;
  return ageMs < CHALLENGE_TTL_MS ? "use" : "repeat";
}

function sign(key: CryptoKey, scope: ChallengeScope, head: Uint8Array): Promise<Uint8Array> {
  const owner = scope.purpose === "sign_in" ? [] : [scope.sessionId, scope.userId];
  return keyedHash(key, scope.purpose, ...owner, base64url.encode(head));
}
