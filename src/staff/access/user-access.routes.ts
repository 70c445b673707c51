import { staffEndpoint } from "../../sessions/guard.ts";
import { params } from "../users/user-detail.fields.ts";
import { getUserAccess } from "./user-access.service.ts";
import { accessView, viewAccess } from "./user-access.views.ts";

export const getUserAccessState = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/access",
    operationId: "getUserAccess",
    tag: "Staff: users",
    summary: "See why a user cannot sign in or be reached",
    description:
      "Shows sign-in locks, the codes of the last 24 hours and what became of each, the devices, and the newest " +
      "notifications. It shows no identifier.",
    params,
    data: accessView,
    message: { en: "The user's access.", ne: "प्रयोगकर्ताको पहुँच।" },
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => ({ data: viewAccess(await getUserAccess(deps, caller, params.id), deps.now()) }),
);
