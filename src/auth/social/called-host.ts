import type { Deps } from "../../platform/deps.ts";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const isLoopback = (url: string) => LOOPBACK.includes(new URL(url).hostname);

/**
 * Whether a device of the local network calls a development server whose `ISSUER` is on loopback, which the device
 * cannot reach.
 *
 * @param origin scheme and host of the request's URL.
 */
export function isCalledFromNetwork({ config }: Pick<Deps, "config">, origin: string): boolean {
  return config.isDevelopment && isLoopback(config.issuer) && !isLoopback(origin);
}

/**
 * For a call from such a device, the dependencies with addresses that it can reach: for this service, and for the
 * sign-in pages of local stand-ins for the providers. For every other call, the unchanged dependencies.
 */
export function atCalledHost(deps: Deps, origin: string): Deps {
  if (!isCalledFromNetwork(deps, origin)) return deps;
  const { social } = deps.config;
  return {
    ...deps,
    config: {
      ...deps.config,
      issuer: origin,
      social: {
        ...social,
        ...(social.google ? { google: atHost(social.google, origin) } : {}),
        ...(social.apple ? { apple: atHost(social.apple, origin) } : {}),
      },
    },
  };
}

function atHost<Settings extends { endpoints: { authorization: string } }>(settings: Settings, origin: string) {
  const { authorization } = settings.endpoints;
  if (!isLoopback(authorization)) return settings;
  const url = new URL(authorization);
  url.hostname = new URL(origin).hostname;
  return { ...settings, endpoints: { ...settings.endpoints, authorization: url.href } };
}
