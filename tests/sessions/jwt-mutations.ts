import { base64url } from "jose";
import { forge, type SigningJwk, signerOf } from "./jwt-corpus.ts";

type Sign = Awaited<ReturnType<typeof signerOf>>;
type Part = Record<string, unknown>;

const bytes = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

/** Values that no genuine header or claim has. */
const strangeValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  " ",
  "\u0000",
  "null",
  "__proto__",
  "' OR 1=1 --",
  "../../etc/passwd",
  "%",
  "x".repeat(300),
  "😀",
  "\ud800",
  [],
  [[]],
  [null],
  {},
  { toString: "x" },
  { __proto__: null, length: 1 },
];

async function newSigner(): Promise<{ sign: Sign; jwk: JsonWebKey }> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const jwk = (await crypto.subtle.exportKey("jwk", pair.publicKey)) as JsonWebKey;
  return { sign: (input) => crypto.subtle.sign("Ed25519", pair.privateKey, input), jwk };
}

/**
 * Tokens with strange values of the header's own fields or of `crit` and a valid signature, and tokens with other JOSE
 * header fields and the signature of a foreign key.
 */
export async function mutateHeaders(sign: Sign, header: Part, claims: Part): Promise<string[]> {
  const foreign = await newSigner();
  const made: Promise<string>[] = [];
  for (const name of Object.keys(header)) {
    for (const value of strangeValues) made.push(forge(sign, { ...header, [name]: value }, claims));
    made.push(forge(sign, { ...header, [name]: [header[name]] }, claims));
    made.push(forge(sign, { ...header, [name]: { [String(header[name])]: true } }, claims));
    made.push(forge(sign, { ...header, [name]: undefined, [name.toUpperCase()]: header[name] }, claims));
    made.push(forge(sign, { ...header, [name]: `${header[name]}\u0000` }, claims));
    made.push(forge(sign, { ...header, [name]: ` ${header[name]}` }, claims));
  }
  const shown: Part = {
    jwk: foreign.jwk,
    jku: "https://evil.example/jwks.json",
    x5u: "https://evil.example/cert.pem",
    x5c: ["MIIB"],
    x5t: "x",
    "x5t#S256": "x",
    cty: "JWT",
    b64: false,
    zip: "DEF",
    enc: "A256GCM",
    epk: foreign.jwk,
    apu: "x",
    p2s: "x",
    p2c: 2 ** 31,
    iv: "x",
    tag: "x",
    url: "https://evil.example",
    nonce: "x",
    iss: claims.iss,
    trust: true,
  };
  for (const [name, value] of Object.entries(shown)) {
    for (const each of [value, ...strangeValues.slice(0, 8)])
      made.push(forge(foreign.sign, { ...header, [name]: each }, claims));
    made.push(forge(sign, { ...header, [name]: value, crit: [name] }, claims));
  }
  for (const crit of strangeValues) made.push(forge(sign, { ...header, crit: crit ?? "alg" }, claims));
  return Promise.all(made);
}

/** The claims that are checked; `jti` only has to be present. */
const DECISIVE: readonly string[] = ["iss", "aud", "sub", "user_id", "sid", "token_type", "exp", "iat"];

/** Every checked claim with strange, almost correct and missing values and a valid signature. */
export function mutateClaims(sign: Sign, header: Part, claims: Part, decisive = DECISIVE): Promise<string[]> {
  const made: Promise<string>[] = [];
  for (const name of decisive) {
    const right = claims[name];
    const isTime = typeof right === "number";
    // A later expiry or an earlier time of issue is valid; only the holder of the key can sign it.
    const isInstant = (value: unknown) => typeof value === "number" && (name === "exp" ? value > 1e9 : value < 1e9);
    const strange = strangeValues.filter((value) => !(isTime && isInstant(value)));
    for (const value of strange) made.push(forge(sign, header, { ...claims, [name]: value }));
    const near = isTime
      ? [String(right), [right], `${right}.0`, { value: right }, new Date(right * 1000).toISOString()]
      : [
          `${right} `,
          ` ${right}`,
          `${right}\n`,
          `${right}\u0000`,
          `${right}/`,
          `x${right}`,
          String(right).slice(1),
          `${String(right).toUpperCase()}X`,
          [[right]],
          { [String(right)]: 1 },
        ];
    for (const value of near) made.push(forge(sign, header, { ...claims, [name]: value }));
    made.push(forge(sign, header, { ...claims, [name]: undefined, [name.toUpperCase()]: right }));
    made.push(forge(sign, header, { ...claims, [name]: undefined, [`${name} `]: right }));
  }
  for (const missing of ["jti", ...decisive]) {
    made.push(forge(sign, header, { ...claims, [missing]: undefined }));
    const twice = JSON.stringify({ ...claims, [missing]: undefined });
    // Of two members with the same name the last one counts.
    if (missing !== "jti")
      made.push(
        forge(sign, header, `${twice.slice(0, -1)},"${missing}":${JSON.stringify(claims[missing])},"${missing}":"x"}`),
      );
  }
  return Promise.all(made);
}

/**
 * The token with each bit of the signature flipped, with each of its bytes left out, and with each character of header
 * and payload replaced by two others.
 */
export function mutateBytes(token: string): string[] {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const raw = base64url.decode(signature);
  const flipped: string[] = [];
  for (let at = 0; at < raw.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Uint8Array.from(raw);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      flipped.push(`${header}.${payload}.${base64url.encode(changed)}`);
    }
  }
  for (let at = 0; at < raw.length; at++) {
    const without = Uint8Array.from(raw).filter((_, i) => i !== at);
    flipped.push(`${header}.${payload}.${base64url.encode(without)}`);
  }
  const signed = header.length + payload.length + 1;
  const replaced = ["A", "-"].flatMap((letter) =>
    Array.from(
      { length: signed },
      (_, at) => token.slice(0, at) + (token[at] === letter ? "Q" : letter) + token.slice(at + 1),
    ),
  );
  return [...flipped, ...replaced];
}

/** Other encodings of the same bytes, and text that a lenient parser might accept as the token. */
export function mutateEncoding(token: string): string[] {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const hex = (part: string) =>
    Array.from(base64url.decode(part), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const each = [header, payload, signature];
  const inEach = (change: (part: string) => string) =>
    each.map((part, i) => each.with(i, change(part)).join(".")).filter((changed) => changed !== token);
  return [
    ...inEach((part) => `${part}%3D`),
    ...inEach((part) => `${part}A`),
    ...inEach((part) => `${part}*`),
    ...inEach((part) => `!${part}`),
    ...inEach((part) => `${part.slice(0, 5)}%0A${part.slice(5)}`),
    ...inEach((part) => `${part.slice(0, 5)}\u200b${part.slice(5)}`.replace("\u200b", "%E2%80%8B")),
    ...inEach(hex),
    ...inEach((part) => [...part].reverse().join("")),
    ...inEach((part) => base64url.encode(bytes(part))),
    ...inEach((part) => part.toLowerCase()),
    ...inEach((part) => part.toUpperCase()),
    ...inEach(() => ""),
    ...inEach(() => "e30"),
    ...inEach(() => "bnVsbA"),
    ...[":", ",", "..", "%2E", "%2e", "|", "/", "~", "_.", "._", ". .".replace(" ", "%20")].map((dot) =>
      each.join(dot),
    ),
    `${token}.`,
    `.${token}`,
    `${token}.${token}`,
    `${token},${token}`,
    `"${token}"`,
    `'${token}'`,
    `{${token}}`,
    `${token}#`,
    `${token}?x=1`,
    `${token};`,
    base64url.encode(bytes(token)),
    btoa(token),
    encodeURIComponent(token).replaceAll(".", "%2E"),
    JSON.stringify({ protected: header, payload, signature }).replaceAll(" ", ""),
    [...token].reverse().join(""),
  ];
}

/** All mutations of a genuine token. The key is the one that signed it. */
export async function mutateToken(key: SigningJwk, token: string, header: Part, claims: Part): Promise<string[]> {
  const sign = await signerOf(key);
  return [
    ...(await mutateHeaders(sign, header, claims)),
    ...(await mutateClaims(sign, header, claims)),
    ...mutateBytes(token),
    ...mutateEncoding(token),
  ];
}
