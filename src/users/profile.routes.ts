import { z } from "zod";
import { userEndpoint } from "../sessions/guard.ts";
import { profileFields } from "./profile.fields.ts";
import { getProfile, updateProfile, withoutNulls } from "./profile.service.ts";
import { profileView, viewProfile } from "./views.ts";

const tag = "Profile";

const body = z.object(profileFields);

export const getMyProfile = userEndpoint(
  {
    method: "get",
    path: "/users/profile",
    tag,
    summary: "My profile",
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
