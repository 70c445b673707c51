import { z } from "zod";
import { parseJson } from "../platform/json.ts";
import { answered, type SendOutcome, sent, unknown, type Verdict } from "./message-provider.ts";

/** Every code of `FcmError`: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
export const fcmVerdicts: Readonly<Record<string, Verdict>> = {
  /** A malformed registration token, or one of another app. */
  INVALID_ARGUMENT: "unreachable",
  UNREGISTERED: "gone",
  /** The token belongs to another sender, and never becomes ours. */
  SENDER_ID_MISMATCH: "gone",
  /** The rate of one device or topic; of the whole project where `QuotaFailure` says so. */
  QUOTA_EXCEEDED: "busy",
  /** Apple's or the browser's key that is stored at Firebase is wrong: other platforms work. */
  THIRD_PARTY_AUTH_ERROR: "platform",
  UNAVAILABLE: "unknown",
  INTERNAL: "unknown",
};

/** What the canonical status means where no `FcmError` says more: https://cloud.google.com/apis/design/errors */
export const canonicalVerdicts: Readonly<Record<string, Verdict>> = {
  INVALID_ARGUMENT: "malformed",
  /** Without UNREGISTERED it may be the project or the address that is unknown, so no token is forgotten. */
  NOT_FOUND: "ours",
  UNAUTHENTICATED: "ours",
  PERMISSION_DENIED: "ours",
  RESOURCE_EXHAUSTED: "ours",
};

const taken = z.object({ name: z.string() });
const detail = z.object({
  errorCode: z.string().optional().catch(undefined),
  /** Of `google.rpc.QuotaFailure`. */
  violations: z
    .array(z.object({ subject: z.string().optional().catch(undefined) }))
    .optional()
    .catch(undefined),
});
const failure = z.object({
  error: z.object({
    status: z.string().regex(/^[A-Z_]{1,40}$/),
    details: z.array(detail).optional().catch(undefined),
  }),
});

/** What FCM's HTTP v1 answer says of a message. */
export function readFcmAnswer(status: number, text: string): SendOutcome {
  const body = parseJson(text);
  if (status === 200) return taken.safeParse(body).success ? sent : unknown("http 200");
  const parsed = failure.safeParse(body);
  if (!parsed.success) return unknown(`http ${status}`);
  const { status: canonical, details = [] } = parsed.data.error;
  const code = details.map(({ errorCode }) => errorCode).find((each) => each !== undefined && each in fcmVerdicts);
  if (code === "QUOTA_EXCEEDED" && isProjects(details)) return answered("ours", `${code} of the project`);
  if (code !== undefined) return answered(fcmVerdicts[code] ?? "unknown", code);
  if (status >= 500) return unknown(canonical);
  return answered(canonicalVerdicts[canonical] ?? "refused", canonical);
}

/** https://cloud.google.com/apis/design/errors: subjects look like `project:1234` or `device:…`. */
function isProjects(details: z.infer<typeof detail>[]): boolean {
  return details.some(({ violations = [] }) =>
    violations.some(({ subject }) => subject?.startsWith("project") === true),
  );
}
