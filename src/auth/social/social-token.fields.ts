import { z } from "zod";
import { optionalText, text, tokenField } from "../../platform/http/fields.ts";

const nonceField = z.string().min(8).max(255);

/** Bodies of the routes that take a provider's ID token: the values that the app got from the provider's SDK. */
export const tokenBodies = {
  google: z
    .object({
      id_token: tokenField.min(1),
      nonce: optionalText(nonceField).describe(
        "If sent, the token must contain it, either unchanged or as its SHA-256.",
      ),
    })
    .meta({ id: "GoogleToken" }),
  apple: z
    .object({
      id_token: tokenField.min(1),
      nonce: text(nonceField).describe("The token must contain its SHA-256."),
      authorization_code: text(z.string().min(1).max(2048)),
      name: optionalText(z.string().max(255)).describe("Apple returns the name only at the first sign-in."),
    })
    .meta({ id: "AppleToken" }),
};

/** Examples of these bodies. */
export const tokenExamples = {
  google: { id_token: "eyJ…" },
  apple: { id_token: "eyJ…", nonce: "5b1f0c2e9d", authorization_code: "c1b2…", name: "Asha Gurung" },
};
