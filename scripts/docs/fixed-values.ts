import { REPEAT_WINDOW_MS } from "../../src/auth/account/account.service.ts";
import { MAX_DEVICES } from "../../src/auth/device/device.store.ts";
import { otpLimits } from "../../src/auth/otp/otp-limits.ts";
import { FLOW_TTL_SECONDS } from "../../src/auth/social/social-flow.service.ts";
import { MAX_BODY_BYTES } from "../../src/platform/http/body.ts";
import { MAX_FILE_BYTES } from "../../src/platform/http/upload.ts";
import { MAX_SESSIONS, REPLAY_WINDOW_MS } from "../../src/sessions/session.store.ts";
import { LIFE_MS } from "../../src/sessions/session-open.store.ts";
import { ACCESS_TTL_SECONDS } from "../../src/sessions/tokens.ts";
import { table } from "./markdown.ts";

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** The time in the largest unit that divides it, such as `90 days`; `3 minutes` for 180 seconds. */
function lengthOf(ms: number): string {
  const seconds = ms / 1000;
  const [unit, size] = UNITS.find(([, each]) => seconds % each === 0) ?? ["second", 1];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const { user, staff } = LIFE_MS;

/** Times and sizes that concern clients, with the values that the code uses. */
const values: readonly [what: string, value: string | number][] = [
  ["lifetime of a code", lengthOf(otpLimits.ttlMs)],
  ["codes of an identifier that are valid at the same time", otpLimits.liveCodes],
  ["waiting time before the second, third, fourth and each later code", otpLimits.send.gapsMs.map(lengthOf).join(", ")],
  ["lifetime of a verification token", lengthOf(otpLimits.verificationTokenTtlMs)],
  ["lifetime of an access token", lengthOf(ACCESS_TTL_SECONDS * 1000)],
  ["lifetime of a session without a refresh; for staff", `${lengthOf(user.idle)}; ${lengthOf(staff.idle)}`],
  ["maximum lifetime of a session; for staff", `${lengthOf(user.absolute)}; ${lengthOf(staff.absolute)}`],
  ["maximum number of live sessions per user", MAX_SESSIONS],
  ["maximum number of devices per user", MAX_DEVICES],
  ["time during which a refresh may be repeated", lengthOf(REPLAY_WINDOW_MS)],
  ["time during which a sign-in may be repeated without a key", lengthOf(REPEAT_WINDOW_MS)],
  ["lifetime of a browser flow", lengthOf(FLOW_TTL_SECONDS * 1000)],
  ["time for which a network stays known after a sign-in", lengthOf(otpLimits.knownNetworkMs)],
  ["maximum size of a body without files", `${MAX_BODY_BYTES / 1024} KB`],
  ["maximum size of a file", `${MAX_FILE_BYTES / 1024 / 1024} MB`],
];

export const fixedValueTable = () => table(["What", "Value"], values);
