import { base64url } from "jose";
import type { Assertion, Registration } from "./credential.fields.ts";
import type { Passkeys } from "./passkey-settings.ts";

// The checks of WebAuthn Level 3 sections 7.1 and 7.2: those by SimpleWebAuthn, and those that it leaves to its caller.
// The statement that uses the challenge checks whether it was used before and whether the counter has grown.

/** What a ceremony must match. */
export interface Expected {
  passkeys: Passkeys;
  /** The challenge in the client data, which this service issued for this call; see `challengeIn`. */
  challenge: string;
}

/** `reason` is for the log only. */
type Checked<T> = ({ isValid: true } & T) | { isValid: false; reason: string };

/** A registered passkey. */
export interface NewPasskey {
  /** base64url. */
  credentialId: string;
  /** COSE key, base64url. */
  publicKey: string;
  counter: number;
  /** Model of the authenticator, as a UUID. */
  aaguid: string;
  isBackupEligible: boolean;
  isSynced: boolean;
  transports: string[];
}

/** A passkey's state after an assertion. */
export interface UsedPasskey {
  counter: number;
  isSynced: boolean;
}

/** COSE identifiers of EdDSA, ES256 and RS256, in the order of preference (RFC 9053, RFC 8812). */
export const ALGORITHMS = [-8, -7, -257];
const ES256 = -7;

/** Longer keys, such as RSA of more than 4,096 bits, would make every verification expensive. */
const MAX_KEY_BYTES = 640;

const loadLibrary = () => import("./webauthn-library.ts");

/** Checks a new passkey (WebAuthn Level 3 section 7.1). Ignores the attestation statement: none is requested. */
export async function checkRegistration(expected: Expected, credential: Registration): Promise<Checked<NewPasskey>> {
  const library = await loadLibrary();
  try {
    refuseFramed(credential.response.clientDataJSON);
    const { registrationInfo } = await library.verifyRegistrationResponse({
      ...expectedOf(expected),
      response: {
        ...withExtensions(credential),
        response: {
          clientDataJSON: credential.response.clientDataJSON,
          attestationObject: withoutStatement(library, credential.response.attestationObject),
        },
      },
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (!registrationInfo) return refused("not verified");
    const { credential: found, aaguid, credentialDeviceType, credentialBackedUp } = registrationInfo;
    if (found.id !== credential.id) return refused("another credential id in the authenticator data");
    if (found.publicKey.length > MAX_KEY_BYTES) return refused("key too long");
    await importKey(library, found.publicKey);
    return {
      isValid: true,
      credentialId: found.id,
      publicKey: base64url.encode(found.publicKey),
      counter: found.counter,
      aaguid,
      isBackupEligible: credentialDeviceType === "multiDevice",
      isSynced: credentialBackedUp,
      transports: credential.response.transports ?? [],
    };
  } catch (error) {
    return refused(reasonOf(error));
  }
}

/**
 * Checks an assertion by a known passkey (WebAuthn Level 3 section 7.2).
 *
 * @param known the passkey's COSE key, base64url, and its user; `mustNameUser`: the assertion must have a user
 *   handle, as at a sign-in.
 */
export async function checkAssertion(
  expected: Expected,
  credential: Assertion,
  known: { publicKey: string; userId: string; isBackupEligible: boolean; mustNameUser: boolean },
): Promise<Checked<UsedPasskey>> {
  const library = await loadLibrary();
  const { userHandle, ...response } = credential.response;
  if (userHandle ? userHandle !== userHandleOf(known.userId) : known.mustNameUser) return refused("user handle");
  try {
    refuseFramed(response.clientDataJSON);
    const { verified, authenticationInfo } = await library.verifyAuthenticationResponse({
      ...expectedOf(expected),
      response: { ...withExtensions(credential), response },
      // With 0 the library leaves the counter to the statement that uses the challenge.
      credential: { id: credential.id, publicKey: new Uint8Array(base64url.decode(known.publicKey)), counter: 0 },
    });
    if (!verified) return refused("signature");
    const isBackupEligible = authenticationInfo.credentialDeviceType === "multiDevice";
    if (isBackupEligible !== known.isBackupEligible) return refused("backup eligibility changed");
    return {
      isValid: true,
      counter: authenticationInfo.newCounter,
      isSynced: authenticationInfo.credentialBackedUp,
    };
  } catch (error) {
    return refused(reasonOf(error));
  }
}

/** The user handle of a user (`user.id` in WebAuthn): the 16 bytes of their id, base64url, without personal data. */
export function userHandleOf(userId: string): string {
  const hex = userId.replaceAll("-", "");
  return base64url.encode(Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)));
}

const refused = (reason: string) => ({ isValid: false as const, reason });
/** The library's messages quote client data, which its sender chose; the log needs only the beginning. */
const reasonOf = (error: unknown) => (error instanceof Error ? error.message.slice(0, 80) : "not verified");

const expectedOf = ({ passkeys, challenge }: Expected) => ({
  expectedChallenge: challenge,
  expectedOrigin: [...passkeys.origins],
  expectedRPID: passkeys.rpId,
  requireUserVerification: true,
});

const withExtensions = ({ id, rawId, type }: Assertion | Registration) => ({
  id,
  rawId,
  type,
  clientExtensionResults: {},
});

const decoder = new TextDecoder();

/** The client data as an object; undefined if it is malformed. */
function readClientData(clientDataJSON: string): Record<string, unknown> | undefined {
  try {
    const clientData: unknown = JSON.parse(decoder.decode(base64url.decode(clientDataJSON)));
    return typeof clientData === "object" && clientData !== null ? (clientData as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The challenge that a credential answers, as sent; empty if there is none. Says nothing about the signature. */
export function challengeIn({ response }: Pick<Assertion | Registration, "response">): string {
  const challenge = readClientData(response.clientDataJSON)?.challenge;
  return typeof challenge === "string" ? challenge : "";
}

/** @throws Error if a page that another origin framed made the client data (WebAuthn Level 3 section 13.4.2). */
function refuseFramed(clientDataJSON: string): void {
  const { crossOrigin = false, topOrigin } = readClientData(clientDataJSON) ?? {};
  if (crossOrigin !== false || topOrigin !== undefined) throw new Error("framed by another origin");
}

type Library = Awaited<ReturnType<typeof loadLibrary>>;

/**
 * The attestation object with an empty statement, because verifying a certificate could make the library fetch a
 * revocation list from an address that the certificate names.
 */
function withoutStatement({ decodeAttestationObject, isoCBOR }: Library, attestationObject: string): string {
  const authData = decodeAttestationObject(new Uint8Array(base64url.decode(attestationObject))).get("authData");
  if (!(authData instanceof Uint8Array)) throw new Error("authenticator data");
  const entries: [string, unknown][] = [
    ["fmt", "none"],
    ["attStmt", new Map()],
    ["authData", new Uint8Array(authData)],
  ];
  return base64url.encode(isoCBOR.encode(new Map(entries) as Parameters<typeof isoCBOR.encode>[0]));
}

/** A DER signature with r = s = 1, which no key verifies. */
const NO_SIGNATURE = Uint8Array.of(0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01);

/** Refuses a key that could never verify a signature. @throws Error if it cannot be imported. */
async function importKey({ verifySignature, isoCBOR }: Library, key: Uint8Array): Promise<void> {
  const publicKey = new Uint8Array(key);
  const algorithm = (isoCBOR.decodeFirst(publicKey) as Map<number, unknown>).get(3);
  const signature = algorithm === ES256 ? NO_SIGNATURE : new Uint8Array(64);
  await verifySignature({ signature, data: new Uint8Array(1), credentialPublicKey: publicKey });
}
