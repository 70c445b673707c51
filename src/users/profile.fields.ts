import { z } from "zod";
import { as } from "../platform/http/field-errors.ts";
import { clearable, tidy, toAsciiDigits, withoutControls } from "../platform/http/fields.ts";

/** Earlier dates are treated as typing errors. */
const EARLIEST_BIRTH = "1900-01-01";

const personText = (min: number) => withoutControls(z.string().min(min).max(255));

/** The URL of a picture. The service never fetches it. */
export const httpsUrl = z.url({ protocol: /^https$/ }).max(2048);

/** The fields of a profile that can be changed; null clears a field. */
export const profileFields = {
  full_name: clearable(personText(2), tidy).meta({ example: "Asha Gurung" }),
  date_of_birth: clearable(
    z.iso
      .date()
      .refine((date) => date >= EARLIEST_BIRTH, { error: as("too_early"), params: { earliest: EARLIEST_BIRTH } }),
    toAsciiDigits,
  ),
  address: clearable(personText(1), tidy),
  avatar_url: clearable(httpsUrl),
};
