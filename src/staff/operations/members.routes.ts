import { z } from "zod";
import { cursorField, idField, pageSizeField } from "../../platform/http/fields.ts";
import { isoTime } from "../../platform/time.ts";
import { adminEndpoint } from "../../sessions/guard.ts";
import { userRole } from "../../users/user-enums.ts";
import { auditLogView, viewMaskedLog } from "../users/audit-log.views.ts";
import { getActs, getMembers } from "./members.service.ts";

const tag = "Staff: service";

/** A member of staff with what they have seen and done. */
const member = z
  .object({
    id: z.string(),
    username: z.string(),
    role: userRole,
    last_login: z.iso.datetime().nullable(),
    views_24h: z
      .number()
      .int()
      .meta({ description: "Persons, cases, fields and files seen in 24 hours, at most 1,000." }),
    acts_24h: z.number().int().meta({ description: "Changes in 24 hours, at most 1,000." }),
  })
  .meta({ id: "StaffMember" });

export const getStaffMembers = adminEndpoint(
  {
    method: "get",
    path: "/staff/members",
    operationId: "listStaffMembers",
    tag,
    summary: "List staff and admins",
    description: "Lists who has a role, with what they have seen and done in 24 hours.",
    data: z.array(member),
    message: { en: "Staff and admins.", ne: "कर्मचारी र एडमिन।" },
  },
  async (deps, { caller }) => ({
    data: (await getMembers(deps, caller)).map(({ id, username, role, lastLogin, views, acts }) => ({
      id,
      username,
      role,
      last_login: isoTime(lastLogin),
      views_24h: views,
      acts_24h: acts,
    })),
  }),
);

const staffLog = auditLogView
  .extend({
    user: z
      .object({ id: z.string(), username: z.string() })
      .nullable()
      .meta({ description: "The user whom the entry concerns; null for deleted users." }),
  })
  .meta({ id: "StaffAuditLog", base: "AuditLog" });

export const getStaffAuditLogs = adminEndpoint(
  {
    method: "get",
    path: "/staff/audit-logs",
    operationId: "listStaffAuditLogs",
    tag,
    summary: "List what a member of staff has seen and done",
    description: "Lists views and changes, newest first, with hints instead of what identifies a person.",
    query: z.object({
      actor_id: idField.meta({ description: "Id of the member of staff." }),
      page_size: pageSizeField,
      cursor: cursorField,
    }),
    data: z.object({ results: z.array(staffLog), next_cursor: z.string().nullable() }),
    message: { en: "Audit log.", ne: "गतिविधिको अभिलेख।" },
  },
  async (deps, { caller, query }) => {
    const { results, nextCursor } = await getActs(deps, caller, query);
    const withUser = (row: (typeof results)[number]) => ({
      ...viewMaskedLog(row),
      user: row.subject === null ? null : { id: row.log.userId, username: row.subject },
    });
    return { data: { results: results.map(withUser), next_cursor: nextCursor } };
  },
);
