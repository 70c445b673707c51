import { LIFE_MS } from "../sessions/session-open.store.ts";

/**
 * Name of the cookie without its prefix. Because of `__Host-`, browsers accept it only over https, for exactly this
 * host and with `Path=/` (RFC 6265bis section 4.1.3.2).
 */
export const COOKIE = "console";

/** No script can read the cookie, and no other site can make a browser send it. */
const ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict";

/** `Set-Cookie` that keeps the refresh token in the browser, at most as long as a session can live. */
export const keepToken = (refreshToken: string): string =>
  `__Host-${COOKIE}=${refreshToken}; Max-Age=${LIFE_MS.console.absolute / 1000}; ${ATTRIBUTES}`;

/** `Set-Cookie` that deletes the cookie. */
export const FORGET_TOKEN = `__Host-${COOKIE}=; Max-Age=0; ${ATTRIBUTES}`;
