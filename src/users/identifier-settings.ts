import { isSupportedCountry } from "libphonenumber-js/max";
import { z } from "zod";
import { list } from "../platform/config/settings.ts";

declare module "../platform/config/config.ts" {
  interface Config {
    /** Countries whose phone numbers are accepted as identifiers (ISO 3166-1 alpha-2). */
    smsCountries: string[];
  }
}

/** Settings of phone numbers. */
export const identifierSettings = {
  SMS_COUNTRIES: list.pipe(z.array(z.string().refine(isSupportedCountry, "must be ISO 3166-1 alpha-2")).min(1)),
};
