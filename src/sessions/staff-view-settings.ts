import { z } from "zod";
import { optional } from "../platform/config/settings.ts";

declare module "../platform/config/config.ts" {
  interface Config {
    /** Maximum number of persons, cases, fields and files that a member of staff sees in an hour. */
    staffViewsPerHour: number;
  }
}

/** The limit of views unless STAFF_VIEWS_PER_HOUR is set. */
export const STAFF_VIEWS_PER_HOUR = 600;
const MAX_VIEWS_PER_HOUR = 10_000;

/** Setting of the limit of what staff see. */
export const staffViewSettings = {
  STAFF_VIEWS_PER_HOUR: optional(z.coerce.number().int().min(1).max(MAX_VIEWS_PER_HOUR)),
};
