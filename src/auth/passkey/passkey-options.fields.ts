import { z } from "zod";

const descriptor = z.object({
  type: z.literal("public-key"),
  id: z.string(),
  transports: z.array(z.string()).optional(),
});
const userVerification = z.literal("required");

/** What `PublicKeyCredential.parseRequestOptionsFromJSON` takes (WebAuthn Level 3 section 5.1.10). */
export const requestOptionsView = z
  .object({
    challenge: z.string(),
    rpId: z.string(),
    timeout: z.number().int(),
    userVerification,
    allowCredentials: z.array(descriptor),
  })
  .meta({ id: "PasskeyRequestOptions" });

/** What `PublicKeyCredential.parseCreationOptionsFromJSON` takes (WebAuthn Level 3 section 5.1.9). */
const creationOptionsView = z
  .object({
    challenge: z.string(),
    rp: z.object({ id: z.string(), name: z.string() }),
    user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
    pubKeyCredParams: z.array(z.object({ type: z.literal("public-key"), alg: z.number().int() })),
    timeout: z.number().int(),
    excludeCredentials: z.array(descriptor),
    authenticatorSelection: z.object({
      residentKey: z.literal("required"),
      requireResidentKey: z.boolean(),
      userVerification,
    }),
    attestation: z.literal("none"),
  })
  .meta({ id: "PasskeyCreationOptions" });

export const anyOptionsView = z.union([requestOptionsView, creationOptionsView]);

/** How long the options can be answered, in seconds. */
export const expiresInField = z.number().int().meta({ description: "Seconds until the options expire.", example: 600 });
