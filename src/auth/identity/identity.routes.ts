import { z } from "zod";
import { optionalText } from "../../platform/http/fields.ts";
import { languageOf } from "../../platform/http/locale.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { getOwnIdentity, updateOwnIdentity } from "./identity.service.ts";
import { identityView, localeField, viewIdentity } from "./identity.views.ts";

const tag = "Identity";

export const getMyIdentity = userEndpoint(
  {
    method: "get",
    path: "/auth/identity",
    operationId: "getIdentity",
    tag,
    summary: "Get my identity",
    description:
      "Returns the user's identifiers, linked providers and passkeys, and until when this session may change them.",
    data: identityView,
    message: { en: "Your sign-in details.", ne: "तपाईंका साइन इन विवरण।" },
  },
  async (deps, { caller }) => ({ data: viewIdentity(deps, await getOwnIdentity(deps, caller)) }),
);

export const patchMyIdentity = userEndpoint(
  {
    method: "patch",
    path: "/auth/identity",
    operationId: "updateIdentity",
    tag,
    summary: "Change the language of messages to me",
    description:
      "Messages to the user, one-time codes included, are in this language. Answers follow `Accept-Language`.",
    example: { locale: "ne" },
    body: z.object({ locale: optionalText(localeField, languageOf) }),
    data: identityView,
    message: { en: "Saved.", ne: "सुरक्षित भयो।" },
  },
  async (deps, { body, caller, client }) => ({
    data: viewIdentity(deps, await updateOwnIdentity(deps, client, caller, body)),
  }),
);
