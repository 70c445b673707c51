import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { parseJson } from "../platform/json.ts";
import { callOutside } from "../platform/outbound.ts";
import type { SparrowSettings } from "../platform/provider-settings.ts";
import { type MessageProvider, refused, type SendOutcome, sent, undeliverable, unknown } from "./message-provider.ts";

/** Ten digits after Nepal's country code: the only numbers that Sparrow takes. */
const NEPALI_NUMBER = /^\+977(\d{10})$/;

const answer = z.object({ response_code: z.int(), count: z.int().optional() });

/** `Invalid Receiver` and `No valid receiver`. */
const RECEIVER_CODES = [1007, 1011];

/** Sparrow SMS, HTTP API v2: https://docs.sparrowsms.com/sms/outgoing_sendsms/ */
export function sparrowProvider(
  deps: Pick<Deps, "config" | "fetch">,
  { url, token, from }: SparrowSettings,
): MessageProvider {
  return {
    name: "sparrow",
    reaches: (to) => NEPALI_NUMBER.test(to),
    async send({ to, text }) {
      const form = new URLSearchParams({ token, from, to: to.replace(NEPALI_NUMBER, "$1"), text });
      const result = await callOutside(deps, url, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: form.toString(),
      });
      return result.answered ? readAnswer(result.status, result.text) : unknown(result.reason);
    },
  };
}

/** 200 with code 200 is success, 403 with any other code a refusal; nothing else is documented. */
function readAnswer(status: number, text: string): SendOutcome {
  const parsed = answer.safeParse(parseJson(text));
  if (!parsed.success) return unknown(`http ${status}`);
  const { response_code: code, count } = parsed.data;
  if (status === 200 && code === 200 && count !== 0) return sent;
  if (status !== 403) return unknown(`http ${status} code ${code}`);
  return RECEIVER_CODES.includes(code) ? undeliverable(`code ${code}`) : refused(`code ${code}`);
}
