import type { FanOut } from "../platform/deps.ts";

/** Each change of a user is also sent to the search queue, for `update_user_search`. */
export const FAN_OUT: FanOut = Object.fromEntries(
  ["user.created", "user.updated", "user.deleted"].map((type) => [type, { queue: "search", type: "user_search.due" }]),
);
