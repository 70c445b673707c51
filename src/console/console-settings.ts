import { z } from "zod";
import type { Config } from "../platform/config/config.ts";
import { optional } from "../platform/config/settings.ts";

declare module "../platform/config/config.ts" {
  interface Config {
    /** The staff console. */
    console: {
      /** If false, every address below /console is unknown. */
      isOn: boolean;
      /** Cloudflare Access in front of the console; undefined if none is configured. */
      access: Access | undefined;
    };
  }
}

/** The Cloudflare Access application whose assertions the console requires. */
export interface Access {
  /** Origin of the team, which issues and signs the assertions. */
  issuer: string;
  /** The application's audience tag. */
  audience: string;
}

/** Settings of the staff console. */
export const consoleSettings = {
  CONSOLE: optional(z.enum(["on", "off"])),
  /** Name of the Cloudflare Zero Trust team: `TEAM` of `https://TEAM.cloudflareaccess.com`. */
  ACCESS_TEAM: optional(z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be the name of the team")),
  ACCESS_AUD: optional(z.string().regex(/^[0-9a-f]{64}$/, "must be the application's audience tag")),
};

type Settings = z.infer<z.ZodObject<typeof consoleSettings>>;

/** Says that one of the two settings of Cloudflare Access is missing; undefined if both or neither are there. */
export function findHalfConfiguredAccess({ ACCESS_TEAM, ACCESS_AUD }: Settings): string | undefined {
  if ((ACCESS_TEAM === undefined) === (ACCESS_AUD === undefined)) return undefined;
  return `${ACCESS_TEAM === undefined ? "ACCESS_TEAM" : "ACCESS_AUD"}: is missing; Cloudflare Access needs both`;
}

/** Reads the settings. The console is on in development and off elsewhere, unless CONSOLE says otherwise. */
export function readConsole(settings: Settings, isDevelopment: boolean): Config["console"] {
  const { CONSOLE = isDevelopment ? "on" : "off", ACCESS_TEAM: team, ACCESS_AUD: audience } = settings;
  const issuer = `https://${team}.cloudflareaccess.com`;
  return { isOn: CONSOLE === "on", access: audience === undefined ? undefined : { issuer, audience } };
}
