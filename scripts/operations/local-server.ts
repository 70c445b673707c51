/** Port of `npm run dev` unless PORT names another one. */
const DEFAULT_PORT = 8787;

/** PORT, or the default. Ends the process with 2 if PORT is no port; the four ports that follow are used too. */
export function localPort(): number {
  const port = process.env.PORT || String(DEFAULT_PORT);
  if (/^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 65_531) return Number(port);
  console.error(`PORT must be a port number from 1 to 65531, not ${port}.`);
  process.exit(2);
}

/** Address of the local server. */
export const localBase = () => `http://localhost:${localPort()}`;
