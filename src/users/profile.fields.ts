import { z } from "zod";
import { clearable, textError, tidy, toAsciiDigits, withoutControls } from "../platform/fields.ts";

/** Earlier ones are slips of the keyboard. */
const EARLIEST_BIRTH = "1900-01-01";

const personText = (min: number) =>
  withoutControls(
    z
      .string({ error: textError })
      .min(min, `Must have at least ${min} characters.`)
      .max(255, "Must have at most 255 characters."),
  );

/** The address of a picture; nothing here fetches it. */
export const httpsUrl = z
  .url({ protocol: /^https$/, error: "Must be an https URL." })
  .max(2048, "Must have at most 2048 characters.");

/** What of a profile may be changed; null clears. */
export const profileFields = {
  full_name: clearable(personText(2), tidy).meta({ example: "Asha Gurung" }),
  date_of_birth: clearable(
    z.iso.date("Must be a date, as YYYY-MM-DD.").refine((date) => date >= EARLIEST_BIRTH, "Must be after 1900."),
    toAsciiDigits,
  ),
  address: clearable(personText(1), tidy),
  avatar_url: clearable(httpsUrl),
};
