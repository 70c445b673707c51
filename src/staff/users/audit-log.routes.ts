import { z } from "zod";
import { cursorField, optionalFlag, optionalText, pageSizeField, withoutControls } from "../../platform/http/fields.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { getAuditLogs } from "./audit-log.service.ts";
import { auditLogView, viewAuditLog, viewMaskedLog } from "./audit-log.views.ts";
import { params } from "./user-detail.fields.ts";

export const getUserAuditLogs = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/audit-logs",
    hasEffect: true,
    operationId: "listUserAuditLogs",
    tag: "Staff: users",
    summary: "List a user's audit log",
    description:
      "Lists actions on the user's account, by the user and by others, newest first. Without `mask`, each call is " +
      "recorded in the user's audit log.",
    params,
    query: z.object({
      mask: optionalFlag.meta({
        description:
          "Whether to show email addresses and phone numbers as hints and to hide dates of birth and addresses; then no " +
          "view is recorded.",
      }),
      page_size: pageSizeField,
      cursor: cursorField,
      entity_type: optionalText(withoutControls(z.string().max(50))).meta({
        description:
          "Only entries of this type, such as `note` or `kyc`. A page may then be short although another follows.",
      }),
    }),
    data: z.object({ results: z.array(auditLogView), next_cursor: z.string().nullable() }),
    message: { en: "Audit log.", ne: "गतिविधिको अभिलेख।" },
    errors: ["not_found", "rate_limit_exceeded"],
  },
  async (deps, { caller, client, params, query }) => {
    const { results, nextCursor } = await getAuditLogs(deps, client, caller, params.id, query);
    const view = query.mask ? viewMaskedLog : viewAuditLog;
    return { data: { results: results.map(view), next_cursor: nextCursor } };
  },
);
