import { readFileSync } from "node:fs";
import { z } from "zod";
import { backgroundCosts } from "./background-costs.ts";
import type { Profile } from "./profile.ts";

/** The schema of a profile. */
export const profileSchema: z.ZodType<Profile> = z.strictObject({
  calls: z.record(
    z.string().refine((route) => route in backgroundCosts, { error: "is not a measured route" }),
    z.number().min(0),
  ),
  cpu_ms: z.number().positive(),
  sms_dollars: z.number().min(0),
  sms_share: z.number().min(0).max(1),
});

/** Reads what a user does in a month from a JSON file; `refuse` gets what is wrong with it. */
export function readProfile(file: string, refuse: (message: string) => never): Profile {
  try {
    const parsed = profileSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
    if (parsed.success) return parsed.data;
    return refuse(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"));
  } catch (error) {
    return refuse(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}
