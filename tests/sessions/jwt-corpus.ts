import { base64url } from "jose";

const HOUR_SECONDS = 3600;

const bytes = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
const encode = (part: unknown) => base64url.encode(bytes(typeof part === "string" ? part : JSON.stringify(part)));

type Sign = (input: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>;
type Claims = Record<string, unknown>;

/** Signs any header and claims, as the holder of the key could. */
export async function forge(sign: Sign, header: unknown, payload: unknown): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${base64url.encode(new Uint8Array(await sign(bytes(input))))}`;
}

export async function signerOf(jwk: JsonWebKey): Promise<Sign> {
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "Ed25519" }, false, ["sign"]);
  return (input) => crypto.subtle.sign("Ed25519", key, input);
}

async function hmacSigner(secret: Uint8Array<ArrayBuffer>, hash = "SHA-256"): Promise<Sign> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash }, false, ["sign"]);
  return (input) => crypto.subtle.sign("HMAC", key, input);
}

export type SigningJwk = JsonWebKey & { kid: string; x: string };

const unsigned: Sign = async () => new ArrayBuffer(0);

/** Copies of the token with one significant bit flipped, in each of `count` characters. */
export function flipBits(token: string, count: number): string[] {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return Array.from({ length: count }, (_, i) => {
    const at = Math.floor((i * (token.length - 1)) / (count - 1));
    const flipped = alphabet[alphabet.indexOf(token[at] ?? "") ^ 32] ?? "";
    return token[at] === "." ? token.replace(".", "A") : token.slice(0, at) + flipped + token.slice(at + 1);
  });
}

/** Copies of the token that are truncated or have parts missing, repeated, empty or swapped. */
export function rearrange(token: string): string[] {
  const [header, payload, signature] = token.split(".") as [string, string, string];
  const cuts = Array.from({ length: 60 }, (_, i) => token.slice(0, 1 + Math.floor((i * (token.length - 2)) / 60)));
  const parts = [[header], [header, payload], [payload, signature], [header, payload, ""], ["", payload, signature]];
  const more = [
    [header, "", signature],
    [payload, header, signature],
    [header, payload, signature, ""],
  ];
  const jwe = [header, payload, signature, signature, signature];
  return [
    ...cuts,
    ...[...parts, ...more, jwe, ["", "", ""]].map((each) => each.join(".")),
    `${token}AAAA`,
    `${token}A`,
  ];
}

/** Algorithm confusions, foreign keys and wrong headers for these claims (RFC 8725). */
export async function forgeHeaders(
  ownKey: SigningJwk,
  good: Record<string, unknown>,
  claims: Claims,
): Promise<string[]> {
  const own = await signerOf(ownKey);
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const foreign: Sign = (input) => crypto.subtle.sign("Ed25519", pair.privateKey, input);
  const foreignJwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const publicKey = base64url.decode(ownKey.x) as Uint8Array<ArrayBuffer>;
  const { kid, x, kty, crv } = ownKey;
  const publicForms = [
    publicKey,
    bytes(x),
    bytes(JSON.stringify({ kty, crv, x })),
    bytes(JSON.stringify({ kid, kty, crv, x })),
  ];
  const made: Promise<string>[] = [];
  for (const alg of ["none", "None", "NONE", "nOnE", "", null]) {
    for (const sign of [unsigned, own, foreign]) made.push(forge(sign, { ...good, alg }, claims));
  }
  for (const alg of ["HS256", "HS384", "HS512"]) {
    const hash = `SHA-${alg.slice(2)}`;
    for (const secret of publicForms) made.push(forge(await hmacSigner(secret, hash), { ...good, alg }, claims));
  }
  for (const alg of ["RS256", "PS256", "ES256", "ES512", "EdDSA ", "eddsa", "Ed448", 1, ["EdDSA"], {}]) {
    made.push(forge(own, { ...good, alg }, claims));
  }
  const strangeKids = [
    "../../x",
    "' OR 1=1",
    "' OR 1=1 --",
    "k".repeat(10_000),
    "__proto__",
    "constructor",
    "toString",
  ];
  const nearKids = [
    "",
    " ",
    `${kid} `,
    ` ${kid}`,
    `${kid}\u0000`,
    kid.toUpperCase(),
    kid.slice(1),
    `./${kid}`,
    `${kid},${kid}`,
  ];
  for (const other of [
    ...strangeKids,
    ...nearKids,
    "hasOwnProperty",
    "/dev/null",
    "0",
    0,
    1,
    true,
    null,
    [kid],
    { kid },
  ]) {
    for (const sign of [own, foreign]) made.push(forge(sign, { ...good, kid: other }, claims));
  }
  const injections = [
    { jwk: foreignJwk },
    { jku: "http://localhost/jwks" },
    { x5u: "http://localhost/x5u" },
    { x5c: ["MII="] },
    {},
  ];
  for (const injected of injections) {
    for (const shown of [kid, "mine", undefined])
      made.push(forge(foreign, { ...good, ...injected, kid: shown }, claims));
  }
  const { typ, ...untyped } = good;
  for (const header of [
    untyped,
    { ...good, typ: `x${typ}` },
    { ...good, crit: ["exp"], exp: 1 },
    { ...good, crit: ["mine"], mine: 1 },
  ]) {
    made.push(forge(own, header, claims));
  }
  for (const header of ["", "null", "[]", "1", '"x"', "{", `{"alg":"EdDSA"`, "\u0000"])
    made.push(forge(own, header, claims));
  return Promise.all(made);
}

/** Claims that are missing, of the wrong type or wrong, each with a valid signature. */
function invalidClaims(claims: Claims, other: Claims): unknown[] {
  const now = Math.floor(Date.now() / 1000);
  const { iss, aud } = claims;
  const without = Object.keys(claims).map((name) => ({ ...claims, [name]: undefined }));
  const wrongTypes = ["iss", "aud", "sub", "user_id", "sid", "token_type", "exp", "iat"].flatMap((name) =>
    [null, {}, [], true, "", [other.sub], { toString: "x" }].map((value) => ({ ...claims, [name]: value })),
  );
  const wrong: Claims = {
    iss: [`${iss}/`, `${iss}x`, String(iss).toUpperCase(), "https://evil.example", [iss]],
    aud: [`${aud}x`, "users-api", "users-api-staging", ["users-api"], [], String(aud).toUpperCase(), "*"],
    sub: [other.sub, "' OR 1=1", "__proto__", "x".repeat(1000), "%"],
    user_id: [other.sub, "' OR 1=1"],
    sid: [other.sid, crypto.randomUUID(), "' OR 1=1", "%", "__proto__"],
    token_type: ["refresh", "ACCESS", "Access", "id", "verification"],
    exp: [now - 31, now - HOUR_SECONDS, 0, -1, "9999999999", `${now + 60}`],
    nbf: [now + 31, now + HOUR_SECONDS, `${now}`, {}],
  };
  const wrongValues = Object.entries(wrong).flatMap(([name, values]) =>
    (values as unknown[]).map((value) => ({ ...claims, [name]: value })),
  );
  const foreign = { ...claims, sub: other.sub, user_id: other.sub };
  const notClaims = ["", "null", "[]", "1", '"x"', "{", "[".repeat(2000), "\u0000", [claims], "true"];
  return [...without, ...wrongTypes, ...wrongValues, foreign, ...notClaims];
}

/** Tokens with wrong claims, otherwise valid. */
export function forgeClaims(sign: Sign, header: unknown, claims: Claims, other: Claims): Promise<string[]> {
  return Promise.all(invalidClaims(claims, other).map((payload) => forge(sign, header, payload)));
}

/** A decoded part of a JWT. */
export function describePart(part: string): string {
  try {
    return new TextDecoder().decode(base64url.decode(part)).slice(0, 400);
  } catch {
    return part.slice(0, 400);
  }
}
