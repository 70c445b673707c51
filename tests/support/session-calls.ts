import { expect } from "vitest";
import { type Answer, type CallOptions, call } from "./client.ts";

/** `GET auth/me` with the access token. */
export const me = (token: string, options: CallOptions = {}) => call("GET", "/api/auth/me", { ...options, token });

/** `POST auth/refresh` with the refresh token. */
export const refresh = (token: string, options: CallOptions = {}) =>
  call("POST", "/api/auth/refresh", { ...options, json: { refresh: token } });

/** Refreshes and returns the successor of the refresh token. */
export async function rotate(token: string, options: CallOptions = {}): Promise<string> {
  const answer = await refresh(token, options);
  expect(answer.status).toBe(200);
  return answer.body.data.refresh;
}

/** Expects the 401 for a token that is not valid or whose session has ended. */
export function expectRefused(answer: Answer): void {
  expect([answer.status, answer.body.error?.code]).toEqual([401, "token_not_valid"]);
  expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
}

/** `POST auth/logout` with the access token and a refresh token. */
export const logout = (access: string, refresh_token: string, options: CallOptions = {}) =>
  call("POST", "/api/auth/logout", { ...options, token: access, json: { refresh_token } });
