import { z } from "zod";
import type { HomeKey } from "../../platform/data/homes.ts";
import { parseJson } from "../../platform/json.ts";

// What `PublicKeyCredential.toJSON()` returns (WebAuthn Level 3 section 5.1.8), and Android's Credential Manager too.

// A single character in the last group has fewer bits than a byte, and decoders refuse it (RFC 4648 section 4).
const BASE64URL = /^([\w-]{4})*[\w-]{2,4}$/;

const base64url = (maxLength: number) => z.string().min(1).max(maxLength).regex(BASE64URL);

/** A credential id has at most 1,023 bytes (WebAuthn Level 3 section 4). */
const credentialId = base64url(1364);
const MAX_CLIENT_DATA = 8_192;
const MAX_AUTHENTICATOR_DATA = 16_384;

const common = {
  id: credentialId,
  rawId: credentialId,
  type: z.literal("public-key"),
};

/** The object itself or its JSON text, which Android apps and forms send; null and the empty string count as absent. */
const orJsonText = <T extends z.ZodType>(schema: T) =>
  z.preprocess((given) => {
    if (given === null || given === "") return undefined;
    return typeof given === "string" ? (parseJson(given) ?? given) : given;
  }, schema);

const assertion = z
  .object({
    ...common,
    response: z.object({
      clientDataJSON: base64url(MAX_CLIENT_DATA),
      authenticatorData: base64url(MAX_AUTHENTICATOR_DATA),
      signature: base64url(MAX_CLIENT_DATA),
      userHandle: base64url(128).nullish(),
    }),
  })
  .meta({ id: "PasskeyAssertion" });

const ANSWER = { description: "The passkey's answer as `toJSON()` gives it, as an object or as JSON text." };

/** The answer of `navigator.credentials.get()`. */
export const assertionField = orJsonText(assertion).meta(ANSWER);
export const optionalAssertionField = orJsonText(assertion.optional()).optional().meta(ANSWER);

/** The home of the passkey's user: by the user handle, or by the credential id if the answer has no handle. */
export function homeOfPasskey({ id, response }: z.output<typeof assertion>): HomeKey {
  return { issued: response.userHandle ?? id };
}

/** The answer of `navigator.credentials.create()`. */
export const registrationField = orJsonText(
  z
    .object({
      ...common,
      response: z.object({
        clientDataJSON: base64url(MAX_CLIENT_DATA),
        attestationObject: base64url(MAX_AUTHENTICATOR_DATA),
        transports: z
          .array(z.string().regex(/^[a-z-]{1,32}$/))
          .max(16)
          .nullish(),
      }),
    })
    .meta({ id: "PasskeyRegistration" }),
).meta({ description: "The new passkey as `toJSON()` gives it, as an object or as JSON text." });

export type Assertion = z.output<typeof assertion>;
export type Registration = z.output<typeof registrationField>;

const EXAMPLE = {
  id: "KyqcAScKiVwkRWTThx5MqxL85do8hXod",
  rawId: "KyqcAScKiVwkRWTThx5MqxL85do8hXod",
  type: "public-key",
};

/** What such answers look like, shortened. */
export const assertionExample = {
  ...EXAMPLE,
  response: {
    clientDataJSON: "eyJ0eXAi",
    authenticatorData: "SZYN5YgO",
    signature: "MEUCIQDf",
    userHandle: "AaIsLlTCceWI",
  },
};
export const registrationExample = {
  ...EXAMPLE,
  response: { clientDataJSON: "eyJ0eXAi", attestationObject: "o2NmbXRk", transports: ["internal"] },
};
