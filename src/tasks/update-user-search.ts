import { z } from "zod";
import { projectUsers } from "../staff/directory/search-projection.service.ts";
import type { Task, TaskEvent } from "./engine/task.ts";

const payloadSchema = z.object({ user_id: z.uuid() });
const userOf = (event: TaskEvent) => payloadSchema.parse(event.payload).user_id;

/** Updates the search entries of changed users: one write for the whole batch. */
export const updateUserSearch: Task = {
  name: "update_user_search",
  types: ["user_search.due"],
  check: userOf,
  async run(deps, ...events) {
    const written = await projectUsers(deps, events.map(userOf));
    return { done: true, note: `${written} of ${events.length} written` };
  },
};
