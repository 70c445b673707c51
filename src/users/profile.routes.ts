import { z } from "zod";
import { userEndpoint } from "../sessions/guard.ts";
import { profileFields } from "./profile.fields.ts";
import { checkBirth, getProfile, updateProfile, withoutNulls } from "./profile.service.ts";
import { profileView, viewProfile } from "./views.ts";

const tag = "Profile";

const body = z.object(profileFields).meta({ id: "ProfileChange" });

export const getMyProfile = userEndpoint(
  {
    method: "get",
    path: "/users/profile",
    operationId: "getProfile",
    tag,
    summary: "Get my profile",
    description: "Returns the signed-in user's profile.",
    data: profileView,
    message: { en: "Your profile.", ne: "तपाईंको प्रोफाइल।" },
  },
  async (deps, { caller }) => ({ data: viewProfile(await getProfile(deps, caller)) }),
);

const changed = { en: "Profile saved.", ne: "प्रोफाइल सुरक्षित भयो।" };

export const putMyProfile = userEndpoint(
  {
    method: "put",
    path: "/users/profile",
    operationId: "putProfile",
    tag,
    summary: "Update my profile; null clears a field",
    description: "Fields that are not sent keep their values.",
    example: { full_name: "Asha Gurung", date_of_birth: "1998-04-13", address: "Lakeside, Pokhara" },
    body,
    check: (deps, { date_of_birth }) => checkBirth(deps, date_of_birth),
    data: profileView,
    message: changed,
  },
  async (deps, { body, caller, client }) => ({ data: viewProfile(await updateProfile(deps, client, caller, body)) }),
);

export const patchMyProfile = userEndpoint(
  {
    method: "patch",
    path: "/users/profile",
    operationId: "updateProfile",
    tag,
    summary: "Update my profile; null is ignored",
    description: "Fields that are not sent keep their values.",
    example: { address: "Lakeside, Pokhara" },
    body,
    check: (deps, { date_of_birth }) => checkBirth(deps, date_of_birth),
    data: profileView,
    message: changed,
  },
  async (deps, { body, caller, client }) => ({
    data: viewProfile(await updateProfile(deps, client, caller, withoutNulls(body))),
  }),
);
