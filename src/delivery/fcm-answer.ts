import { z } from "zod";
import { parseJson } from "../platform/json.ts";
import { answered, type SendOutcome, sent, unknown, type Verdict } from "./message-provider.ts";

/** Every `FcmError` code: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
export const fcmVerdicts: Readonly<Record<string, Verdict>> = {
  /** The registration token is malformed or belongs to another app. */
  INVALID_ARGUMENT: "unreachable",
  UNREGISTERED: "gone",
  /** The token belongs to another sender ID and will never be valid for ours. */
  SENDER_ID_MISMATCH: "gone",
  /** The rate limit of one device or topic, or of the whole project if `QuotaFailure` says so. */
  QUOTA_EXCEEDED: "busy",
  /** The APNs or web push credentials stored in Firebase are wrong; other platforms still work. */
  THIRD_PARTY_AUTH_ERROR: "platform",
  UNAVAILABLE: "unknown",
  INTERNAL: "unknown",
};

/** How to treat the canonical status if no `FcmError` code is present: https://cloud.google.com/apis/design/errors */
export const canonicalVerdicts: Readonly<Record<string, Verdict>> = {
  INVALID_ARGUMENT: "malformed",
  /** Without UNREGISTERED, the project or the URL may be what was not found, so the token is kept. */
  NOT_FOUND: "ours",
  UNAUTHENTICATED: "ours",
  PERMISSION_DENIED: "ours",
  RESOURCE_EXHAUSTED: "ours",
};

const accepted = z.object({ name: z.string() });
const detail = z.object({
  errorCode: z.string().optional().catch(undefined),
  /** From `google.rpc.QuotaFailure`. */
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

/** Maps an FCM HTTP v1 response to the outcome of the message. */
export function readFcmAnswer(status: number, text: string): SendOutcome {
  const body = parseJson(text);
  if (status === 200) return accepted.safeParse(body).success ? sent : unknown("http 200");
  const parsed = failure.safeParse(body);
  if (!parsed.success) return unknown(`http ${status}`);
  const { status: canonical, details = [] } = parsed.data.error;
  const code = details.map(({ errorCode }) => errorCode).find((each) => each !== undefined && each in fcmVerdicts);
  if (code === "QUOTA_EXCEEDED" && isProjectQuota(details)) return answered("ours", `${code} of the project`);
  if (code !== undefined) return answered(fcmVerdicts[code] ?? "unknown", code);
  if (status >= 500) return unknown(canonical);
  return answered(canonicalVerdicts[canonical] ?? "refused", canonical);
}

/** Quota subjects look like `project:1234` or `device:…`: https://cloud.google.com/apis/design/errors */
function isProjectQuota(details: z.infer<typeof detail>[]): boolean {
  return details.some(({ violations = [] }) =>
    violations.some(({ subject }) => subject?.startsWith("project") === true),
  );
}
