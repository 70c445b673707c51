import { z } from "zod";
import { cursorField } from "../../platform/http/fields.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { exportOwnData } from "./export.service.ts";
import { exportView, viewExport } from "./export.views.ts";

export const getMyExport = userEndpoint(
  {
    method: "get",
    path: "/users/export",
    hasEffect: true,
    operationId: "exportData",
    tag: "Identity",
    summary: "Export my data",
    description:
      "All that is held about the user, with 500 entries of each list. Follow `next_cursor`, within an hour, until it is " +
      "null; further pages contain only the lists that continue. Needs a recent proof.",
    query: z.object({ cursor: cursorField }),
    data: exportView,
    message: { en: "Your data.", ne: "तपाईंको डाटा।" },
    errors: ["reauthentication_required", "rate_limit_exceeded"],
  },
  async (deps, { caller, client, origin, query }) => ({
    data: viewExport(deps, caller, await exportOwnData(deps, client, caller, origin, query.cursor)),
    headers: { "Content-Disposition": 'attachment; filename="my-data.json"' },
  }),
);
