import { z } from "zod";
import { tokenField } from "../../platform/http/fields.ts";
import { isoTime } from "../../platform/time.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { proveSession } from "./proof.service.ts";

const proved = { en: "Thank you, we know that it is you.", ne: "धन्यवाद, तपाईं नै हो भनी पुष्टि भयो।" };

export const postProof = userEndpoint(
  {
    method: "post",
    path: "/auth/proof",
    operationId: "proveSession",
    tag: "Identity",
    summary: "Prove that the session is mine",
    description:
      "For the next 10 minutes this session may make sensitive changes: those of `auth/identity`, linking and unlinking, " +
      "and deleting the account. Send the verification token of one of the user's own identifiers from " +
      "`POST /auth/otp/verify`; it is used up. A sign-in proves its session too. The same call within 180 seconds gives " +
      "the same answer.",
    example: { verification_token: "…" },
    body: z.object({ verification_token: tokenField.min(1) }),
    data: z.object({ proved_until: z.iso.datetime(), message: z.string() }).meta({ id: "Proof" }),
    message: proved,
    errors: ["invalid_token"],
  },
  async (deps, { body, caller, client }) => ({
    data: {
      proved_until: isoTime(await proveSession(deps, client, caller, body.verification_token)),
      message: proved[client.locale],
    },
  }),
);
