import { tableOf } from "../../scripts/docs/retention.ts";
import type { PurgeRule } from "../../src/tasks/retention.ts";

/** A name for each rule: a table may have two. */
export const nameOf = (rule: PurgeRule) => `${tableOf(rule)}.${rule.since.name}`;
