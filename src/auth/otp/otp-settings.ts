import { z } from "zod";
import { json } from "../../platform/config/settings.ts";

declare module "../../platform/config/config.ts" {
  interface Config {
    testIdentifiers: z.infer<typeof testIdentifiers>;
  }
}

/** Identifiers of app store reviewers: each has a fixed code, never sent, valid through the day `until` (UTC). */
const testIdentifiers = z
  .array(z.object({ identifier: z.string(), code: z.string().regex(/^\d{6}$/), until: z.iso.date() }))
  .max(5);

/** Settings of one-time codes. */
export const otpSettings = { TEST_IDENTIFIERS: json(testIdentifiers).default([]) };
