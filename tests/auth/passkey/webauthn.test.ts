import fc from "fast-check";
import { base64url } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { type Algorithm, Authenticator, cbor, FLAGS, join, type Overrides } from "../../support/authenticator.ts";
import type { SignedIn } from "../../support/client.ts";
import { call } from "../../support/client.ts";
import { newBrowser, SESSION } from "../../support/console.ts";
import { rows } from "../../support/database.ts";
import { newUser } from "../../support/kyc.ts";
import { addPasskey, expectError, logInWith, ownOptions, register, signInOptions } from "../../support/passkeys.ts";

// The checks of WebAuthn Level 3 sections 7.1 and 7.2, each by a ceremony that violates it alone.

const UP_UV = FLAGS.present | FLAGS.verified;
const SYNCED = FLAGS.backupEligible | FLAGS.backedUp;

/** What is refused at a registration and at a sign-in alike. */
const common: [string, Overrides][] = [
  ["of another type", { type: "webauthn.other" }],
  ["from another origin", { origin: "https://evil.example" }],
  ["from a page that another origin frames", { crossOrigin: true }],
  ["from a page with another top origin", { crossOrigin: true, topOrigin: "https://powerbank.example" }],
  ["with a top origin alone", { topOrigin: "https://powerbank.example" }],
  ["with a cross-origin flag that is no boolean", { crossOrigin: "false" }],
  ["for another domain", { rpId: "evil.example" }],
  ["without user presence", { flags: FLAGS.verified | SYNCED }],
  ["without user verification", { flags: FLAGS.present | SYNCED }],
  ["backed up but not eligible", { flags: UP_UV | FLAGS.backedUp }],
  ["with bytes left over", { rest: Uint8Array.of(0) }],
];

describe("A registration", () => {
  let person: SignedIn;
  beforeAll(async () => {
    person = await newUser();
  });

  const attempt = async (overrides: Overrides, algorithm: Algorithm = "ES256") => {
    const authenticator = await Authenticator.create({ algorithm });
    return register(person, await authenticator.register(await ownOptions(person, "REGISTER"), overrides));
  };

  const key = (...entries: [number, unknown][]) => cbor(new Map(entries));
  const point = new Uint8Array(32).fill(7);
  const refused: [string, Overrides][] = [
    ...common,
    ["that answers a sign-in", { type: "webauthn.get" }],
    ["whose id is not the one in the data", { id: base64url.encode(new Uint8Array(32)) }],
    ["with an algorithm that was not offered", { publicKey: key([1, 2], [3, -35], [-1, 2], [-2, point], [-3, point]) }],
    ["with a point that is not on the curve", { publicKey: key([1, 2], [3, -7], [-1, 1], [-2, point], [-3, point]) }],
    ["without a coordinate", { publicKey: key([1, 2], [3, -7], [-1, 1], [-2, point]) }],
    ["with an Ed25519 key that is too short", { publicKey: key([1, 1], [3, -8], [-1, 6], [-2, new Uint8Array(31)]) }],
    [
      "with an RSA key longer than any in use",
      { publicKey: key([1, 3], [3, -257], [-1, new Uint8Array(2_048).fill(255)], [-2, Uint8Array.of(1, 0, 1)]) },
    ],
    ["with a key that is no map", { publicKey: cbor("key") }],
    ["with a key that is cut off", { publicKey: key([1, 2], [3, -7]).subarray(0, 3) }],
  ];

  test.each(refused)("%s is refused", async (_, overrides) => {
    expectError(await attempt(overrides), 400, "passkey_failed");
    expect(await rows("select id from passkeys where user_id = ?", person.userId)).toEqual([]);
  });

  test.each(["ES256", "EdDSA", "RS256"] as const)("with %s is accepted", async (algorithm) => {
    const someone = await newUser();
    await addPasskey(someone, { algorithm });
  });

  test("stores whether the passkey is eligible for backup, and whether it is backed up", async () => {
    for (const [flags, eligible, synced] of [
      [UP_UV, 0, 0],
      [UP_UV | FLAGS.backupEligible, 1, 0],
      [UP_UV | SYNCED, 1, 1],
    ] as const) {
      const someone = await newUser();
      const credential = await (await Authenticator.create()).register(await ownOptions(someone, "REGISTER"), {
        flags,
      });
      expect((await register(someone, credential)).status).toBe(201);
      const found = await rows(
        "select is_backup_eligible as e, is_synced as s from passkeys where user_id = ?",
        someone.userId,
      );
      expect(found).toEqual([{ e: eligible, s: synced }]);
    }
  });

  test("ignores the attestation, which nobody asked for, and fetches nothing because of it", async () => {
    const x5c = new Map<string, unknown>([
      ["alg", -7],
      ["sig", new Uint8Array(70)],
      ["x5c", new Uint8Array(500)],
    ]);
    for (const [fmt, attStmt] of [
      ["packed", x5c],
      ["android-key", new Map()],
      ["made-up", x5c],
    ] as const) {
      const someone = await newUser();
      const credential = await (await Authenticator.create()).register(await ownOptions(someone, "REGISTER"), {
        fmt,
        attStmt,
      });
      expect((await register(someone, credential)).status).toBe(201);
    }
  });
});

describe("A sign-in", () => {
  let authenticator: Authenticator;
  beforeAll(async () => {
    ({ authenticator } = await addPasskey(await newUser()));
  });

  const flip = (at: number) => (signature: Uint8Array) => signature.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const refused: [string, Overrides][] = [
    ...common,
    ["that answers a registration", { type: "webauthn.create" }],
    ["with another signature", { sign: flip(12) }],
    ["with a signature that is no DER", { sign: flip(0) }],
    ["with an empty DER signature", { sign: () => Uint8Array.of(0x30, 0) }],
    ["with a signature in the format of WebCrypto", { sign: () => new Uint8Array(64) }],
    ["by a passkey that was eligible for backup and is no more", { flags: UP_UV }],
    ["for another user", { userHandle: base64url.encode(new Uint8Array(16)) }],
    ["that names no user", { userHandle: null }],
  ];

  test.each(refused)("%s is refused, and does not use the challenge up", async (_, overrides) => {
    const options = await signInOptions();
    expectError(await logInWith(await authenticator.assert(options, overrides)), 400, "passkey_failed");
    expect((await logInWith(await authenticator.assert(options))).status).toBe(200);
  });

  test("by a passkey that becomes eligible for backup is refused", async () => {
    const { authenticator: bound } = await addPasskey(await newUser(), { isSynced: false });
    const credential = await bound.assert(await signInOptions(), { flags: UP_UV | SYNCED });
    expectError(await logInWith(credential), 400, "passkey_failed");
  });

  test("updates whether a passkey that is eligible for backup is backed up", async () => {
    const person = await newUser();
    const { authenticator: synced } = await addPasskey(person);
    for (const [flags, expected] of [
      [UP_UV | FLAGS.backupEligible, 0],
      [UP_UV | SYNCED, 1],
    ] as const) {
      expect((await logInWith(await synced.assert(await signInOptions(), { flags }))).status).toBe(200);
      expect(await rows("select is_synced as s from passkeys where user_id = ?", person.userId)).toEqual([
        { s: expected },
      ]);
    }
  });
});

describe("A malformed credential", () => {
  test("with a changed bit in any part of a sign-in gets 400, never 500", async () => {
    const { authenticator } = await addPasskey(await newUser());
    const options = await signInOptions();
    const genuine = await authenticator.assert(options);
    const parts = ["clientDataJSON", "authenticatorData", "signature"] as const;
    // The library reads the two integers of an ES256 signature, whatever tag and length the sequence around them has.
    const wrapping = { clientDataJSON: 0, authenticatorData: 0, signature: 2 };
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...parts), fc.nat(), fc.nat(7), async (part, at, bit) => {
        const bytes = new Uint8Array(base64url.decode(genuine.response[part]));
        const index = wrapping[part] + (at % (bytes.length - wrapping[part]));
        bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
        const response = { ...genuine.response, [part]: base64url.encode(bytes) };
        expectError(await logInWith({ ...genuine, response }), 400, "passkey_failed");
      }),
      { numRuns: 100 },
    );
    expect((await logInWith(genuine)).status).toBe(200);
  });

  test("with random CBOR as a registration gets 400, never 500", async () => {
    const person = await newUser();
    const options = await ownOptions(person, "REGISTER");
    const genuine = await (await Authenticator.create()).register(options);
    const authData = fc.uint8Array({ minLength: 0, maxLength: 300 }).map((bytes) => join(bytes));
    const objects = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => join(bytes)),
      authData.map((bytes) =>
        cbor(
          new Map<string, unknown>([
            ["fmt", "none"],
            ["attStmt", new Map()],
            ["authData", bytes],
          ]),
        ),
      ),
      fc.constant(join(new Uint8Array(12_000).fill(0x81))),
      fc.constant(Uint8Array.of(0xbf, 0x63)),
    );
    await fc.assert(
      fc.asyncProperty(objects, async (bytes) => {
        const response = { ...genuine.response, attestationObject: base64url.encode(bytes) };
        expectError(await register(person, { ...genuine, response }), 400, "passkey_failed");
      }),
      { numRuns: 40 },
    );
    expect((await register(person, genuine)).status).toBe(201);
  });

  test.each([
    undefined,
    null,
    "",
    "x",
    "{",
    7,
    [],
    {},
    { id: "a", rawId: "a", type: "public-key" },
    {
      id: "a",
      rawId: "a",
      type: "other",
      response: { clientDataJSON: "e30", authenticatorData: "AA", signature: "AA" },
    },
    {
      id: "a b",
      rawId: "a b",
      type: "public-key",
      response: { clientDataJSON: "e30", authenticatorData: "AA", signature: "AA" },
    },
    {
      id: "a",
      rawId: "a",
      type: "public-key",
      response: { clientDataJSON: "e30=", authenticatorData: "AA", signature: "AA" },
    },
  ])("%j is a validation error on `credential`", async (credential) => {
    const answer = await call("POST", "/api/auth/passkey/login", { json: { credential } });
    expectError(answer, 400, "validation_error");
    expect(Object.keys(answer.body.error.details).map((name) => name.split(".")[0])).toContain("credential");
  });

  test.each(["A", "AAAAA"])(
    "a part with the undecodable length of %j is a validation error on that part, on every route that takes a credential",
    async (undecodable) => {
      const person = await newUser();
      const { authenticator } = await addPasskey(person);
      const newcomer = await Authenticator.create();
      const registration = await newcomer.register(await ownOptions(person, "REGISTER"));
      const signIn = await authenticator.assert(await signInOptions());
      const proof = await authenticator.assert(await ownOptions(person, "PROOF"));
      const routes = [
        ["/api/auth/passkeys", registration, person.access],
        ["/api/auth/passkey/login", signIn, undefined],
        ["/api/auth/proof", proof, person.access],
        [SESSION, signIn, undefined],
      ] as const;
      for (const [path, credential, token] of routes) {
        for (const part of Object.keys(credential.response).filter((name) => name !== "transports")) {
          const response = { ...credential.response, [part]: undecodable };
          const options = { json: { credential: { ...credential, response } }, ...(token ? { token } : {}) };
          const answer = await (path === SESSION ? newBrowser().call : call)("POST", path, options);
          expectError(answer, 400, "validation_error");
          expect(Object.keys(answer.body.error.details)).toEqual([`credential.response.${part}`]);
        }
      }
    },
  );

  test.each([" ", "null", "7", '"x"', "[]", "{}", '{"challenge":7}', "\ufeff{}", "\xff"])(
    "with client data of %j is refused",
    async (text) => {
      const { authenticator } = await addPasskey(await newUser());
      const genuine = await authenticator.assert(await signInOptions());
      const clientDataJSON = base64url.encode(new TextEncoder().encode(text));
      const answer = await logInWith({ ...genuine, response: { ...genuine.response, clientDataJSON } });
      expectError(answer, 400, "passkey_failed");
    },
  );
});
