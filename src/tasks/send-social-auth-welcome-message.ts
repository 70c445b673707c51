import { notices } from "../delivery/notices.ts";
import type { Task } from "./engine/task.ts";
import { notifyUser } from "./notify.ts";

const NAME = "send_social_auth_welcome_message";

/** Welcomes a user whose account was created by signing in with Google or Apple. */
export const sendSocialAuthWelcomeMessage: Task = {
  name: NAME,
  types: ["user.social_registered"],
  run: (deps, event) => notifyUser(deps, NAME, event, { kind: "WELCOME", texts: notices.WELCOME }),
};
