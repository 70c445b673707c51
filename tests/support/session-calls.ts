import { type CallOptions, call } from "./client.ts";

/** `GET auth/me` with the access token. */
export const me = (token: string, options: CallOptions = {}) => call("GET", "/api/auth/me", { ...options, token });

/** `POST auth/refresh` with the refresh token. */
export const refresh = (token: string, options: CallOptions = {}) =>
  call("POST", "/api/auth/refresh", { ...options, json: { refresh: token } });
