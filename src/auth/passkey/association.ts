import type { Passkeys } from "./passkey-settings.ts";

/** What Android apps may do with the domain; Credential Manager requires both for passkeys. */
export const ANDROID_RELATIONS = [
  "delegate_permission/common.handle_all_urls",
  "delegate_permission/common.get_login_creds",
] as const;

/**
 * Functions that return the contents of the files below `/.well-known/` in which a domain names the apps and pages that
 * may use its passkeys; undefined if the configuration names nothing for a file.
 */
export const associations = {
  "apple-app-site-association": ({ iosApps }: Passkeys) =>
    iosApps.length === 0 ? undefined : { webcredentials: { apps: [...iosApps] } },
  "assetlinks.json": ({ androidApps }: Passkeys) => {
    const apps = Object.entries(androidApps);
    if (apps.length === 0) return undefined;
    return apps.map(([name, fingerprints]) => ({
      relation: [...ANDROID_RELATIONS],
      target: {
        namespace: "android_app" as const,
        package_name: name,
        sha256_cert_fingerprints: [...fingerprints],
      },
    }));
  },
  webauthn: ({ relatedOrigins }: Passkeys) =>
    relatedOrigins.length === 0 ? undefined : { origins: [...relatedOrigins] },
};
