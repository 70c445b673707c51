import { z } from "zod";
import type { ErrorCode } from "../../platform/http/errors.ts";
import { idField, optionalText, text } from "../../platform/http/fields.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { registrationExample, registrationField } from "./credential.fields.ts";
import { addOwnPasskey, removeOwnPasskey, renameOwnPasskey, startOwnCeremony } from "./own-passkeys.service.ts";
import { passkeyView, viewPasskey } from "./passkey.views.ts";
import { CHALLENGE_TTL_MS } from "./passkey-challenge.ts";
import { anyOptionsView, expiresInField } from "./passkey-options.fields.ts";

const tag = "Passkeys";
const nameField = z.string().min(1).max(64);
const refusals: ErrorCode[] = ["reauthentication_required", "passkey_required", "conflict", "not_found"];

export const postPasskeyOptions = userEndpoint(
  {
    method: "post",
    path: "/auth/passkeys/options",
    operationId: "startPasskeyCeremony",
    tag,
    summary: "Get the options to add a passkey or to prove my session with one",
    description:
      "REGISTER: pass `public_key` to `PublicKeyCredential.parseCreationOptionsFromJSON()` and " +
      "`navigator.credentials.create()`; needs a recent proof. PROOF: pass it to " +
      "`parseRequestOptionsFromJSON()` and `navigator.credentials.get()`, and the answer to `POST /api/auth/proof`.",
    example: { purpose: "PROOF" },
    body: z.object({ purpose: z.enum(["REGISTER", "PROOF"]) }),
    data: z.object({ public_key: anyOptionsView, expires_in: expiresInField }),
    message: { en: "Continue with your passkey.", ne: "आफ्नो पासकीसँग अगाडि बढ्नुहोस्।" },
    errors: refusals,
  },
  async (deps, { body, caller }) => ({
    data: { public_key: await startOwnCeremony(deps, caller, body.purpose), expires_in: CHALLENGE_TTL_MS / 1000 },
  }),
);

export const postPasskey = userEndpoint(
  {
    method: "post",
    path: "/auth/passkeys",
    operationId: "addPasskey",
    tag,
    summary: "Add a passkey",
    description:
      "Send what `navigator.credentials.create()` returned for the options with the purpose REGISTER. A user has at most " +
      "10 passkeys and adds at most 10 a day; every verified address of the account gets a message.",
    example: { credential: registrationExample, name: "Asha's phone" },
    body: z.object({
      credential: registrationField,
      name: optionalText(nameField).meta({ description: "What the person calls it, such as the device." }),
    }),
    data: passkeyView,
    message: { en: "The passkey was added.", ne: "पासकी थपियो।" },
    status: 201,
    errors: ["passkey_failed", ...refusals],
  },
  async (deps, { body, caller, client }) => ({
    data: viewPasskey(await addOwnPasskey(deps, client, caller, body.credential, body.name)),
  }),
);

const params = z.object({ id: idField.meta({ description: "Id of the passkey." }) });

export const patchPasskey = userEndpoint(
  {
    method: "patch",
    path: "/auth/passkeys/{id}",
    operationId: "renamePasskey",
    tag,
    summary: "Rename a passkey",
    description: "The name is for its owner alone.",
    params,
    example: { name: "Work laptop" },
    body: z.object({ name: text(nameField) }),
    data: passkeyView,
    message: { en: "Saved.", ne: "सुरक्षित भयो।" },
    errors: ["not_found"],
  },
  async (deps, { body, caller, client, params }) => ({
    data: viewPasskey(await renameOwnPasskey(deps, client, caller, params.id, body.name)),
  }),
);

const removed = { en: "The passkey was removed.", ne: "पासकी हटाइयो।" };

export const deletePasskey = userEndpoint(
  {
    method: "delete",
    path: "/auth/passkeys/{id}",
    operationId: "removePasskey",
    tag,
    summary: "Remove a passkey",
    description:
      "Needs a recent proof. Ends the other sessions that the passkey opened or proved; every " +
      "verified address gets a message. The last way to sign in cannot be removed. Tell the device by " +
      "`PublicKeyCredential.signalAllAcceptedCredentials()`.",
    params,
    data: z.object({ message: z.string() }),
    message: removed,
    errors: ["reauthentication_required", "passkey_required", "last_sign_in_method", "not_found"],
  },
  async (deps, { caller, client, params }) => {
    await removeOwnPasskey(deps, client, caller, params.id);
    return { data: { message: removed[client.locale] } };
  },
);
