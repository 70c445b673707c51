import { isIPv4 } from "node:net";

/** Port of `npm run dev` unless PORT names another one. */
const DEFAULT_PORT = 8787;

/** PORT, or the default. Ends the process with 2 if PORT is no port; the four ports that follow are used too. */
export function localPort(): number {
  const port = process.env.PORT || String(DEFAULT_PORT);
  if (/^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 65_531) return Number(port);
  console.error(`PORT must be a port number from 1 to 65531, not ${port}.`);
  process.exit(2);
}

/** HOST, or the default. Ends the process with 2 if it is not an IPv4 address. */
export function localHost(): string {
  const host = process.env.HOST || "127.0.0.1";
  if (isIPv4(host)) return host;
  console.error(`HOST must be an IPv4 address, such as 0.0.0.0, not ${host}.`);
  process.exit(2);
}

/** Address of the local server. */
export const localBase = () => `http://localhost:${localPort()}`;
