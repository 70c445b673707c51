import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import { besideErrors, optionalText, tokenField } from "../../platform/http/fields.ts";
import { isoTime } from "../../platform/time.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { optionalAssertionField } from "../passkey/credential.fields.ts";
import { proveSession, proveSessionByPasskey } from "./proof.service.ts";

const proved = { en: "Thank you, we know that it is you.", ne: "धन्यवाद, तपाईं नै हो भनी पुष्टि भयो।" };

export const postProof = userEndpoint(
  {
    method: "post",
    path: "/auth/proof",
    operationId: "proveSession",
    tag: "Identity",
    summary: "Prove that the session is mine",
    description:
      "For the next 10 minutes this session may make sensitive changes: those of `/api/auth/identity`, passkeys, linking " +
      "and unlinking, and deleting the account. Send either the verification token of one of the user's own identifiers " +
      "from `POST /api/auth/otp/verify`, which is used up, or a passkey's answer to `POST /api/auth/passkeys/options` " +
      "with the purpose PROOF. A sign-in proves its session too. The same call within 180 seconds gives the same answer.",
    example: { verification_token: "…" },
    body: z
      .object({ verification_token: optionalText(tokenField), credential: optionalAssertionField })
      .refine(({ verification_token, credential }) => verification_token !== undefined || credential !== undefined, {
        when: besideErrors,
        path: ["verification_token"],
        message: as("required"),
      })
      .refine(({ verification_token, credential }) => verification_token === undefined || credential === undefined, {
        when: besideErrors,
        path: ["verification_token"],
        message: as("two_proofs"),
      }),
    data: z.object({ proved_until: z.iso.datetime(), message: z.string() }).meta({ id: "Proof" }),
    message: proved,
    errors: ["invalid_token", "passkey_failed", "passkey_unknown", "not_found"],
  },
  async (deps, { body, caller, client }) => ({
    data: {
      proved_until: isoTime(
        body.credential
          ? await proveSessionByPasskey(deps, client, caller, body.credential)
          : await proveSession(deps, client, caller, body.verification_token ?? ""),
      ),
      message: proved[client.locale],
    },
  }),
);
