import { base64url } from "jose";
import { passkeyVars } from "./passkey-vars.ts";

// An authenticator in software, with keys of three algorithms. A test overrides any part of what it answers.

export type Algorithm = "ES256" | "EdDSA" | "RS256";

const parameters = {
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  EdDSA: { name: "Ed25519" },
  RS256: {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  },
} as const;

const encoder = new TextEncoder();

/** CBOR of the values that authenticators write: integers, texts, byte strings and maps. */
export function cbor(value: number | string | Uint8Array | Map<number | string, unknown>): Uint8Array<ArrayBuffer> {
  const head = (major: number, length: number) =>
    length < 24
      ? [(major << 5) | length]
      : length < 256
        ? [(major << 5) | 24, length]
        : [(major << 5) | 25, length >> 8, length & 255];
  if (typeof value === "number") return Uint8Array.from(value < 0 ? head(1, -1 - value) : head(0, value));
  if (typeof value === "string") return join(Uint8Array.from(head(3, value.length)), encoder.encode(value));
  if (value instanceof Uint8Array) return join(Uint8Array.from(head(2, value.length)), value);
  const parts = [...value].flatMap(([key, member]) => [cbor(key), cbor(member as Parameters<typeof cbor>[0])]);
  return join(Uint8Array.from(head(5, value.size)), ...parts);
}

export function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sha256 = async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

export const FLAGS = { present: 1, verified: 4, backupEligible: 8, backedUp: 16, attested: 64 } as const;

/** Parts of an answer in which it differs from that of an honest authenticator. */
export interface Overrides {
  type?: string;
  origin?: string;
  challenge?: string;
  crossOrigin?: unknown;
  topOrigin?: string;
  rpId?: string;
  flags?: number;
  counter?: number;
  userHandle?: string | null;
  id?: string;
  fmt?: string;
  attStmt?: Map<number | string, unknown>;
  /** Bytes appended to the authenticator data. */
  rest?: Uint8Array;
  /** Changes the signature. */
  sign?: (signature: Uint8Array) => Uint8Array;
  publicKey?: Uint8Array;
  transports?: string[];
}

const RP_ID = passkeyVars.PASSKEY_RP_ID;
const ORIGIN = `https://${RP_ID}`;

interface Options {
  algorithm?: Algorithm;
  /** The passkey is copied to the person's other devices. */
  isSynced?: boolean;
  origin?: string;
  rpId?: string;
}

export class Authenticator {
  counter = 0;
  /** The user handle that it was registered with. */
  private userHandle: string | null = null;
  readonly credentialId = crypto.getRandomValues(new Uint8Array(32));
  private readonly keys: CryptoKeyPair;
  private readonly options: Required<Options>;

  private constructor(keys: CryptoKeyPair, options: Required<Options>) {
    this.keys = keys;
    this.options = options;
  }

  static async create(options: Options = {}): Promise<Authenticator> {
    const whole = { algorithm: "ES256", isSynced: true, origin: ORIGIN, rpId: RP_ID, ...options } as const;
    const keys = await crypto.subtle.generateKey(parameters[whole.algorithm], true, ["sign", "verify"]);
    return new Authenticator(keys as CryptoKeyPair, whole);
  }

  get id(): string {
    return base64url.encode(this.credentialId);
  }

  /** Answers `navigator.credentials.create()`, as `toJSON()` gives it. */
  async register(options: { challenge: string; user?: { id: string } }, overrides: Overrides = {}) {
    this.userHandle = options.user?.id ?? this.userHandle;
    const publicKey = overrides.publicKey ?? (await this.coseKey());
    const attested = join(
      Uint8Array.from({ length: 16 }, (_, i) => i + 1),
      Uint8Array.of(0, this.credentialId.length),
      this.credentialId,
      publicKey,
    );
    const authData = join(await this.authenticatorData(overrides, FLAGS.attested), attested, overrides.rest ?? join());
    const attestation = new Map<string, unknown>([
      ["fmt", overrides.fmt ?? "none"],
      ["attStmt", overrides.attStmt ?? new Map()],
      ["authData", authData],
    ]);
    return {
      ...this.credential(overrides),
      response: {
        clientDataJSON: this.clientData("webauthn.create", options.challenge, overrides),
        attestationObject: base64url.encode(cbor(attestation)),
        transports: overrides.transports ?? ["internal"],
      },
    };
  }

  /** Answers `navigator.credentials.get()`, as `toJSON()` gives it. A device-bound passkey counts each answer. */
  async assert({ challenge }: { challenge: string }, overrides: Overrides = {}) {
    if (!this.options.isSynced) this.counter += 1;
    const authData = join(await this.authenticatorData(overrides, 0), overrides.rest ?? join());
    const clientDataJSON = this.clientData("webauthn.get", challenge, overrides);
    const signed = join(authData, await sha256(new Uint8Array(base64url.decode(clientDataJSON))));
    const signature = await this.sign(signed);
    const userHandle = overrides.userHandle === undefined ? this.userHandle : overrides.userHandle;
    return {
      ...this.credential(overrides),
      response: {
        clientDataJSON,
        authenticatorData: base64url.encode(authData),
        signature: base64url.encode(overrides.sign?.(signature) ?? signature),
        userHandle,
      },
    };
  }

  private credential({ id = this.id }: Overrides) {
    const clientExtensionResults = {};
    return { id, rawId: id, type: "public-key", authenticatorAttachment: "platform", clientExtensionResults };
  }

  private clientData(type: string, challenge: string, overrides: Overrides): string {
    const data = { type, challenge, origin: this.options.origin, crossOrigin: false };
    const { topOrigin } = overrides;
    const changed = Object.fromEntries(
      Object.keys(data).flatMap((name) => (name in overrides ? [[name, overrides[name as keyof Overrides]]] : [])),
    );
    return base64url.encode(
      encoder.encode(JSON.stringify({ ...data, ...changed, ...(topOrigin ? { topOrigin } : {}) })),
    );
  }

  private async authenticatorData(overrides: Overrides, more: number): Promise<Uint8Array<ArrayBuffer>> {
    const backup = this.options.isSynced ? FLAGS.backupEligible | FLAGS.backedUp : 0;
    const flags = overrides.flags ?? FLAGS.present | FLAGS.verified | backup;
    const counter = new Uint8Array(4);
    new DataView(counter.buffer).setUint32(0, overrides.counter ?? this.counter);
    return join(
      await sha256(join(encoder.encode(overrides.rpId ?? this.options.rpId))),
      Uint8Array.of(flags | more),
      counter,
    );
  }

  private async sign(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const signature = new Uint8Array(
      await crypto.subtle.sign(parameters[this.options.algorithm], this.keys.privateKey, bytes),
    );
    return this.options.algorithm === "ES256" ? derOf(signature) : signature;
  }

  /** The public key as COSE (RFC 9052 section 7). */
  async coseKey(): Promise<Uint8Array<ArrayBuffer>> {
    const jwk = (await crypto.subtle.exportKey("jwk", this.keys.publicKey)) as JsonWebKey;
    const part = (name: "x" | "y" | "n" | "e") => new Uint8Array(base64url.decode(jwk[name] ?? ""));
    const entries: Record<Algorithm, () => [number, unknown][]> = {
      ES256: () => [
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, part("x")],
        [-3, part("y")],
      ],
      EdDSA: () => [
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, part("x")],
      ],
      RS256: () => [
        [1, 3],
        [3, -257],
        [-1, part("n")],
        [-2, part("e")],
      ],
    };
    return cbor(new Map(entries[this.options.algorithm]()));
  }
}

/** An ECDSA signature in ASN.1 (RFC 3279 section 2.2.3). */
function derOf(signature: Uint8Array): Uint8Array {
  const integer = (part: Uint8Array) => {
    const start = part.findIndex((byte) => byte !== 0);
    const digits = start < 0 ? Uint8Array.of(0) : part.subarray(start);
    const positive = (digits[0] ?? 0) > 127 ? join(Uint8Array.of(0), digits) : digits;
    return join(Uint8Array.of(2, positive.length), positive);
  };
  const body = join(integer(signature.subarray(0, 32)), integer(signature.subarray(32)));
  return join(Uint8Array.of(0x30, body.length), body);
}
