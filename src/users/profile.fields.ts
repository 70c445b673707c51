import { z } from "zod";
import { as } from "../platform/http/field-errors.ts";
import { clearable, clearableUrl, withoutControls } from "../platform/http/fields.ts";
import { tidy, toAsciiDigits } from "../platform/http/text.ts";

/** Earlier dates are treated as typing errors. */
const EARLIEST_BIRTH = "1900-01-01";

const personText = (min: number) => withoutControls(z.string().min(min).max(255));

/** The fields of a profile that can be changed; null clears a field. */
export const profileFields = {
  full_name: clearable(personText(2), tidy),
  date_of_birth: clearable(
    z.iso
      .date()
      .refine((date) => date >= EARLIEST_BIRTH, { error: as("too_early"), params: { earliest: EARLIEST_BIRTH } }),
    toAsciiDigits,
  ).meta({ description: `A day from ${EARLIEST_BIRTH} to yesterday in Asia/Kathmandu.` }),
  address: clearable(personText(1), tidy),
  avatar_url: clearableUrl,
};
