import { z } from "zod";
import { optionalText, tokenField } from "../../platform/http/fields.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { deleteOwnAccount } from "./account-deletion.service.ts";

const deleted = { en: "Your account has been deleted.", ne: "तपाईंको खाता मेटाइयो।" };

export const deleteMyAccount = userEndpoint(
  {
    method: "delete",
    path: "/auth/account",
    operationId: "deleteAccount",
    tag: "Account",
    summary: "Delete my account permanently",
    description:
      "Send `verification_token` if a proof is needed. Refused while the user has an open rental, has a negative balance or is the only admin. " +
      "The identifiers and the username can be registered again immediately.",
    example: {},
    body: z.object({ verification_token: optionalText(tokenField) }),
    data: z.object({ message: z.string() }),
    message: deleted,
    errors: ["reauthentication_required", "open_rental", "debt_due", "last_admin"],
  },
  async (deps, { body, caller, client }) => {
    await deleteOwnAccount(deps, caller, body.verification_token);
    return { data: { message: deleted[client.locale] } };
  },
);
