import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { parseJson } from "../platform/json.ts";
import { callOutside } from "../platform/outbound.ts";
import type { FcmSettings } from "../platform/provider-settings.ts";
import { findAccessToken, forgetAccessToken } from "./google-access-token.ts";
import {
  type MessageProvider,
  type OutgoingMessage,
  refused,
  type SendOutcome,
  sent,
  undeliverable,
  unknown,
} from "./message-provider.ts";

const taken = z.object({ name: z.string() });
const failure = z.object({
  error: z.object({
    status: z.string().regex(/^[A-Z_]{1,40}$/),
    details: z.array(z.object({ errorCode: z.string().optional() })).optional(),
  }),
});

/** Firebase Cloud Messaging, HTTP v1: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages */
export function fcmProvider(
  deps: Pick<Deps, "config" | "fetch" | "now" | "keyring">,
  settings: FcmSettings,
): MessageProvider {
  return {
    name: "fcm",
    reaches: () => true,
    async send(message) {
      const accessToken = await findAccessToken(deps, settings);
      if (typeof accessToken !== "string") return refused(accessToken.reason);
      const result = await callOutside(deps, settings.sendUrl, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${accessToken}` },
        body: JSON.stringify({ message: toFcm(message) }),
      });
      if (!result.answered) return unknown(result.reason);
      if (result.status === 401) forgetAccessToken(settings);
      return readAnswer(result.status, result.text);
    },
  };
}

function toFcm({ to, title, text, data }: OutgoingMessage) {
  return { token: to, notification: { ...(title ? { title } : {}), body: text }, ...(data ? { data } : {}) };
}

/** https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
function readAnswer(status: number, text: string): SendOutcome {
  const body = parseJson(text);
  if (status === 200) return taken.safeParse(body).success ? sent : unknown("http 200");
  const parsed = failure.safeParse(body);
  if (!parsed.success) return unknown(`http ${status}`);
  const { status: canonical, details } = parsed.data.error;
  const codes = details?.map(({ errorCode }) => errorCode) ?? [];
  if (codes.includes("UNREGISTERED") || (status === 404 && canonical === "NOT_FOUND")) {
    return undeliverable("unregistered", true);
  }
  // A malformed token or message: the same everywhere and every time, but no proof that the device is gone.
  if (status === 400) return undeliverable(canonical);
  return status >= 500 ? unknown(canonical) : refused(canonical);
}
