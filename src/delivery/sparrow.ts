import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";
import { parseJson } from "../platform/json.ts";
import { answered, type MessageProvider, type SendOutcome, sent, unknown, type Verdict } from "./message-provider.ts";
import type { SparrowSettings } from "./provider-settings.ts";

/** Nepal's country code and ten digits: the only numbers that Sparrow accepts. */
const NEPALI_NUMBER = /^\+977(\d{10})$/;

const answer = z.object({ response_code: z.int(), count: z.int().optional() });

/** All documented refusals of Sparrow by `response_code`: https://docs.sparrowsms.com/sms/outgoing_sendsms/ */
export const sparrowVerdicts: Readonly<Record<number, Verdict>> = {
  /** A required field is missing; all our messages have the same fields. */
  1000: "ours",
  /** Invalid IP address. */
  1001: "ours",
  /** Invalid token. */
  1002: "ours",
  /** Account inactive. */
  1003: "ours",
  1004: "ours",
  /** Account has expired. */
  1005: "ours",
  1006: "ours",
  /** Invalid receiver. */
  1007: "unreachable",
  /** Invalid sender. */
  1008: "ours",
  /** Text is empty; ours never is. */
  1010: "ours",
  /** No valid receiver. */
  1011: "unreachable",
  /** No credits available. */
  1012: "ours",
  /** Insufficient credits. */
  1013: "ours",
};

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

/** Status 200 with code 200 is success, status 403 with another code a refusal; nothing else is documented. */
function readAnswer(status: number, text: string): SendOutcome {
  const parsed = answer.safeParse(parseJson(text));
  if (!parsed.success) return unknown(`http ${status}`);
  const { response_code: code, count } = parsed.data;
  if (status === 200 && code === 200 && count !== 0) return sent;
  if (status !== 403) return unknown(`http ${status} code ${code}`);
  return answered(sparrowVerdicts[code] ?? "refused", `code ${code}`);
}
