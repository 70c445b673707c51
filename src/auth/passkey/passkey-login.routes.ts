import { z } from "zod";
import { publicEndpoint } from "../../sessions/guard.ts";
import { describeSignIn, signedInData } from "../account/sign-in.views.ts";
import { assertionExample, assertionField, homeOfPasskey } from "./credential.fields.ts";
import { CHALLENGE_TTL_MS } from "./passkey-challenge.ts";
import { challengeToLimit, signInWithPasskey, startPasskeySignIn } from "./passkey-login.service.ts";
import { expiresInField, requestOptionsView } from "./passkey-options.fields.ts";

const tag = "Passkeys";

export const startPasskeyLogin = publicEndpoint(
  {
    method: "post",
    path: "/auth/passkey/options",
    home: () => "none",
    operationId: "startPasskeySignIn",
    tag,
    summary: "Get the options to sign in with a passkey",
    description:
      "Pass `public_key` to `PublicKeyCredential.parseRequestOptionsFromJSON()` and `navigator.credentials.get()`, or as " +
      "JSON to Android's Credential Manager. The options name no account. A page that keeps a request open for autofill " +
      "(conditional UI) asks for new options before they expire.",
    data: z.object({ public_key: requestOptionsView, expires_in: expiresInField }),
    message: { en: "Continue with your passkey.", ne: "आफ्नो पासकीसँग अगाडि बढ्नुहोस्।" },
    errors: ["not_found"],
    rateLimitByNetwork: { group: "passkey" },
  },
  async (deps) => ({
    data: { public_key: await startPasskeySignIn(deps), expires_in: CHALLENGE_TTL_MS / 1000 },
  }),
);

const welcomeBack = { en: "Welcome back!", ne: "फेरि स्वागत छ!" };

export const passkeyLogin = publicEndpoint(
  {
    method: "post",
    path: "/auth/passkey/login",
    home: ({ body }) => homeOfPasskey(body.credential),
    operationId: "signInWithPasskey",
    tag,
    summary: "Sign in with a passkey",
    description:
      "Send the passkey's answer to the options. `passkey_unknown` means that no account has this passkey any more: tell " +
      "the device by `PublicKeyCredential.signalUnknownCredential()`. The same call within 180 seconds gives the same " +
      "session.",
    example: { credential: assertionExample },
    body: z.object({ credential: assertionField }),
    data: signedInData,
    message: welcomeBack,
    errors: ["passkey_failed", "passkey_unknown", "account_inactive", "not_found"],
    idempotent: true,
    rateLimitFailures: {
      group: "sign-in-refusals",
      subject: (deps, { credential }) => challengeToLimit(deps, credential),
    },
  },
  async (deps, { body, client }) => ({
    data: describeSignIn(await signInWithPasskey(deps, client, body.credential), welcomeBack[client.locale]),
  }),
);
