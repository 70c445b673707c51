import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import { listField } from "../../platform/http/fields.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { getRevealed } from "./reveal.service.ts";
import { params } from "./user-detail.fields.ts";
import { HIDDEN_FIELDS, hiddenField, revealedView } from "./user-detail.views.ts";

export const postUserReveal = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/reveal",
    operationId: "revealUserFields",
    tag: "Staff: users",
    summary: "Show hidden fields of a user",
    description:
      "Shows fields that `GET /api/users/{id}` leaves out with `mask`. The names are recorded in the user's audit log.",
    params,
    example: { fields: ["phone_number"] },
    body: z.object({
      fields: listField(z.array(hiddenField).min(1, as("required")).max(HIDDEN_FIELDS.length)).meta({
        description: "The fields to show.",
      }),
    }),
    data: revealedView,
    message: { en: "The fields.", ne: "विवरण।" },
    errors: ["not_found", "rate_limit_exceeded"],
  },
  async (deps, { body, caller, client, params }) => ({
    data: await getRevealed(deps, client, caller, params.id, [...new Set(body.fields)]),
  }),
);
