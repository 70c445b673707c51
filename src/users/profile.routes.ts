import { z } from "zod";
import { clearable, NO_CONTROLS, textError, tidy, toAsciiDigits } from "../platform/fields.ts";
import { userEndpoint } from "../sessions/guard.ts";
import { getProfile, updateProfile, withoutNulls } from "./profile.service.ts";
import { profileView, viewProfile } from "./views.ts";

const tag = "Profile";
/** Earlier ones are slips of the keyboard. */
const EARLIEST_BIRTH = "1900-01-01";

const personText = (min: number) =>
  z
    .string({ error: textError })
    .min(min, `Must have at least ${min} characters.`)
    .max(255, "Must have at most 255 characters.")
    .regex(NO_CONTROLS, "Must not hold control characters.");

const body = z.object({
  full_name: clearable(personText(2), tidy).meta({ example: "Asha Gurung" }),
  date_of_birth: clearable(
    z.iso.date("Must be a date, as YYYY-MM-DD.").refine((date) => date >= EARLIEST_BIRTH, "Must be after 1900."),
    toAsciiDigits,
  ),
  address: clearable(personText(1), tidy),
  avatar_url: clearable(
    z.url({ protocol: /^https$/, error: "Must be an https URL." }).max(2048, "Must have at most 2048 characters."),
  ),
});

export const getMyProfile = userEndpoint(
  {
    method: "get",
    path: "/users/profile",
    tag,
    summary: "My profile",
    data: profileView,
    message: "Your profile.",
  },
  async (deps, { caller }) => ({ data: viewProfile(await getProfile(deps, caller)) }),
);

const changed = "Your profile is saved.";

export const putMyProfile = userEndpoint(
  {
    method: "put",
    path: "/users/profile",
    tag,
    summary: "Change my profile; null clears",
    description: "Changes what is sent and leaves the rest as it is.",
    body,
    data: profileView,
    message: changed,
  },
  async (deps, { body, caller, client }) => ({ data: viewProfile(await updateProfile(deps, client, caller, body)) }),
);

export const patchMyProfile = userEndpoint(
  {
    method: "patch",
    path: "/users/profile",
    tag,
    summary: "Change my profile; null is ignored",
    description: "Changes what is sent and leaves the rest as it is.",
    body,
    data: profileView,
    message: changed,
  },
  async (deps, { body, caller, client }) => ({
    data: viewProfile(await updateProfile(deps, client, caller, withoutNulls(body))),
  }),
);
