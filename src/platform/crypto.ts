import { base64url } from "jose";

const encoder = new TextEncoder();

/** Returns `count` bytes from the runtime's CSPRNG; replaced in tests. */
export type RandomBytes = (count: number) => Uint8Array;

/** An unguessable id of 128 random bits, base64url (ASVS 11.5.1). */
export function randomId(randomBytes: RandomBytes): string {
  return base64url.encode(randomBytes(16));
}

/**
 * Draws `length` decimal digits without modulo bias (NIST SP 800-63B-4 section 3.1.3.2): bytes of 250 and above are
 * rejected.
 */
export function randomDigits(randomBytes: RandomBytes, length: number): string {
  return randomText(randomBytes, "0123456789", length);
}

/** Draws `length` characters of `alphabet` (2 to 256 characters) without modulo bias. */
export function randomText(randomBytes: RandomBytes, alphabet: string, length: number): string {
  const limit = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < limit && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

/** Derives 256 bits for one purpose with HKDF-SHA-256 (RFC 5869), without a salt. */
async function deriveBits(secret: Uint8Array, purpose: string): Promise<ArrayBuffer> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const info = encoder.encode(purpose);
  return crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info }, key, 256);
}

/** Derives an HMAC-SHA-256 key for one purpose. */
export async function deriveHmacKey(secret: Uint8Array, purpose: string): Promise<CryptoKey> {
  const bits = await deriveBits(secret, purpose);
  return crypto.subtle.importKey("raw", bits, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

/** Derives an AES-GCM key for one purpose, for `seal` and `open`. */
export async function deriveSealingKey(secret: Uint8Array, purpose: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", await deriveBits(secret, purpose), "AES-GCM", false, ["encrypt", "decrypt"]);
}

/**
 * HMAC-SHA-256 over the parts, each preceded by its length in bytes, so that different lists of parts never collide.
 */
export async function keyedHash(key: CryptoKey, ...parts: string[]): Promise<Uint8Array> {
  const encoded = parts.map((part) => encoder.encode(part));
  const bytes = new Uint8Array(encoded.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of encoded) {
    view.setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
}

/** SHA-256, base64url. Use `keyedHash` for guessable secrets and personal data, which this would not hide. */
export async function sha256(text: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))));
}

/** Compares in constant time (ASVS 11.2.4). Inputs of different lengths are unequal. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && crypto.subtle.timingSafeEqual(a, b);
}

/**
 * Encrypts with AES-GCM and prepends a fresh 96-bit nonce; base64url. `context` is authenticated and must be passed to
 * `open` again.
 */
export async function seal(key: CryptoKey, randomBytes: RandomBytes, text: string, context: string): Promise<string> {
  const iv = randomBytes(12);
  const params = { name: "AES-GCM", iv, additionalData: encoder.encode(context) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(params, key, encoder.encode(text)));
  const bytes = new Uint8Array(iv.length + sealed.length);
  bytes.set(iv);
  bytes.set(sealed, iv.length);
  return base64url.encode(bytes);
}

/** Decrypts the output of `seal`. @throws if the text was altered, or sealed with another key or context. */
export async function open(key: CryptoKey, sealed: string, context: string): Promise<string> {
  const bytes = base64url.decode(sealed);
  const params = { name: "AES-GCM", iv: bytes.subarray(0, 12), additionalData: encoder.encode(context) };
  return new TextDecoder().decode(await crypto.subtle.decrypt(params, key, bytes.subarray(12)));
}
