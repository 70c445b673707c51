import { z } from "zod";
import { text, withoutControls } from "../../platform/http/fields.ts";
import { tidy } from "../../platform/http/text.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { auditLogView, viewAuditLog } from "./audit-log.views.ts";
import { createNote } from "./note.service.ts";
import { actorOf } from "./staff-action.service.ts";
import { params } from "./user-detail.fields.ts";

/** Maximum length of a note, in UTF-16 units. */
const MAX_NOTE_LENGTH = 1_000;

export const postUserNote = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/notes",
    operationId: "createUserNote",
    tag: "Staff: users",
    summary: "Add a note about a user",
    description:
      "Adds a note for colleagues to the user's audit log, which keeps it for 365 days. " +
      "`GET /api/users/{id}/audit-logs` with `entity_type=note` lists the notes. The user sees them only in an " +
      "export of their data.",
    params,
    example: { text: "Called about a code that did not come; it came while we spoke." },
    body: z.object({
      text: text(withoutControls(z.string().min(1).max(MAX_NOTE_LENGTH)), tidy).meta({
        description: "Line breaks become spaces.",
      }),
    }),
    data: auditLogView,
    message: { en: "Note saved.", ne: "टिपोट सुरक्षित भयो।" },
    status: 201,
    errors: ["not_found"],
  },
  async (deps, { body, caller, client, params }) => ({
    data: viewAuditLog(await createNote(deps, actorOf(client, caller, params.id), body.text)),
  }),
);
