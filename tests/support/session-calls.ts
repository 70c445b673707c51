import { type CallOptions, call } from "./client.ts";

/** `GET auth/me` with the access token. */
export const me = (token: string, options: CallOptions = {}) => call("GET", "/api/auth/me", { ...options, token });

/** `POST auth/refresh` with the refresh token. */
export const refresh = (token: string, options: CallOptions = {}) =>
  call("POST", "/api/auth/refresh", { ...options, json: { refresh: token } });

/** `POST auth/logout` with the access token and a refresh token. */
export const logout = (access: string, refresh_token: string, options: CallOptions = {}) =>
  call("POST", "/api/auth/logout", { ...options, token: access, json: { refresh_token } });
