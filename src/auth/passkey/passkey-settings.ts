import { base64url } from "jose";
import { z } from "zod";
import type { Config } from "../../platform/config/config.ts";
import { json, list, optional } from "../../platform/config/settings.ts";
import { AppError } from "../../platform/http/errors.ts";

declare module "../../platform/config/config.ts" {
  interface Config {
    /** Sign-in with passkeys; undefined if it is not offered. */
    passkeys: Passkeys | undefined;
    /** A role works only in a session that a passkey opened or proved. */
    requiresStaffPasskeys: boolean;
  }
}

/** Where passkeys may be used. */
export interface Passkeys {
  /** The domain that passkeys are bound to (WebAuthn Level 3 section 5.1.2). */
  rpId: string;
  /** Every accepted `origin` of client data, of pages, iOS apps and Android apps; compared as text. */
  origins: readonly string[];
  /** Origins of pages outside the domain (WebAuthn Level 3 section 5.11). */
  relatedOrigins: readonly string[];
  /** App ids, `TEAMID.bundle.id`. */
  iosApps: readonly string[];
  /** SHA-256 fingerprints of the signing certificates by package name. */
  androidApps: Readonly<Record<string, readonly string[]>>;
}

/** A label of a domain (RFC 1035 section 2.3.1). */
const LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const domain = z.string().regex(new RegExp(`^${LABEL}(\\.${LABEL})*$`), "must be a domain in lower case");

const pageOrigin = z
  .string()
  .refine(
    (text) => /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text,
    "must be origins of pages",
  );

const iosApp = z.string().regex(/^[A-Z0-9]{10}\.[A-Za-z0-9.-]{1,155}$/, "must be app ids such as TEAMID1234.np.app");

const NOT_APPS = "must be a JSON object of package names with lists of SHA-256 fingerprints such as AB:CD:…";
const androidApps = json(
  z.record(
    z.string().regex(/^[A-Za-z]\w*(\.[A-Za-z]\w*)+$/),
    z
      .array(
        z
          .string()
          .regex(/^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$/)
          .transform((text) => text.toUpperCase()),
      )
      .min(1),
    NOT_APPS,
  ),
  NOT_APPS,
);

/** Settings of passkeys. Each of the others requires PASSKEY_RP_ID. */
export const passkeySettings = {
  PASSKEY_RP_ID: optional(domain),
  PASSKEY_ORIGINS: optional(list.pipe(z.array(pageOrigin))),
  PASSKEY_IOS_APPS: optional(list.pipe(z.array(iosApp))),
  PASSKEY_ANDROID_APPS: optional(androidApps),
  STAFF_PASSKEYS: optional(z.enum(["optional", "required"])),
};

type PasskeySettings = z.infer<z.ZodObject<typeof passkeySettings>>;

const OTHERS = ["PASSKEY_ORIGINS", "PASSKEY_IOS_APPS", "PASSKEY_ANDROID_APPS", "STAFF_PASSKEYS"] as const;

/** Describes the first missing or insecure setting of passkeys; undefined if there is none. */
export function findHalfConfiguredPasskeys(value: PasskeySettings, isDevelopment: boolean): string | undefined {
  if (value.PASSKEY_RP_ID === undefined) {
    const given = OTHERS.find((name) => value[name] !== undefined);
    return given && `PASSKEY_RP_ID: required with ${given}`;
  }
  if (isDevelopment) return undefined;
  if (value.STAFF_PASSKEYS === undefined) return "STAFF_PASSKEYS: required with PASSKEY_RP_ID";
  return value.PASSKEY_ORIGINS?.some((origin) => !origin.startsWith("https:"))
    ? "PASSKEY_ORIGINS: must be https"
    : undefined;
}

/** Returns where passkeys may be used, and whether staff need one. */
export function readPasskeys(value: PasskeySettings) {
  const { PASSKEY_RP_ID: rpId, PASSKEY_ORIGINS: pages = [], PASSKEY_ANDROID_APPS: androidApps = {} } = value;
  const requiresStaffPasskeys = value.STAFF_PASSKEYS === "required";
  if (rpId === undefined) return { passkeys: undefined, requiresStaffPasskeys };
  const isRelated = (origin: string) => {
    const { hostname } = new URL(origin);
    return hostname !== rpId && !hostname.endsWith(`.${rpId}`);
  };
  const passkeys: Passkeys = {
    rpId,
    // iOS apps send the domain itself as their origin.
    origins: [...new Set([`https://${rpId}`, ...pages, ...Object.values(androidApps).flat().flatMap(appOrigins)])],
    relatedOrigins: pages.filter(isRelated),
    iosApps: value.PASSKEY_IOS_APPS ?? [],
    androidApps,
  };
  return { passkeys, requiresStaffPasskeys };
}

/**
 * The origins that an Android app with this certificate sends: the hash in base64url, and in standard base64, which
 * some versions of Credential Manager use.
 */
function appOrigins(fingerprint: string): string[] {
  const hash = base64url.encode(Uint8Array.from(fingerprint.split(":"), (byte) => Number.parseInt(byte, 16)));
  return [hash, hash.replaceAll("-", "+").replaceAll("_", "/")].map((text) => `android:apk-key-hash:${text}`);
}

/** The settings of passkeys. @throws AppError `not_found` where passkeys are not offered. */
export function requirePasskeys({ config }: { config: Pick<Config, "passkeys"> }): Passkeys {
  if (!config.passkeys) throw new AppError("not_found");
  return config.passkeys;
}
