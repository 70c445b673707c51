import type { Answer } from "./client.ts";

/** A code that differs from the given ones. */
export const otherThan = (...codes: string[]): string =>
  ["111111", "222222", "333333", "444444"].find((code) => !codes.includes(code)) ?? "";

/** The wait in seconds that a response of `otp/request` gives, whether or not it sent a code. */
export const waitOf = ({ status, headers, body }: Answer): number =>
  status === 200 ? body.data.resend_in : Number(headers.get("retry-after"));

/** Everything that a caller can see of a response, except the request id. */
export const visible = ({ status, headers, body }: Answer) => ({
  status,
  headers: [...headers].filter(([name]) => name !== "x-request-id"),
  body: JSON.stringify({ ...body, request_id: undefined }),
});
