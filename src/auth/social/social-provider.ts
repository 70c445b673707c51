import type { Config } from "../../platform/config/config.ts";
import type { AppleSettings, GoogleSettings } from "../../platform/config/social-settings.ts";
import { AppError } from "../../platform/http/errors.ts";

/** A provider by the name that paths have. */
export type ProviderName = "google" | "apple";

/** What one provider's tokens and flow are like. */
export interface SocialProvider {
  name: ProviderName;
  settings: GoogleSettings | AppleSettings;
  /** Every form of `iss` that its documents name; the first is the one that accounts are kept under. */
  issuers: string[];
  scopes: string[];
}

/** The provider's settings. @throws AppError `not_found` where it is not configured. */
export function findProvider(config: Pick<Config, "social">, name: ProviderName): SocialProvider {
  const settings = config.social[name];
  if (!settings)
    throw new AppError("not_found", {
      message: { en: "This way to sign in is not available.", ne: "साइन इनको यो तरिका उपलब्ध छैन।" },
    });
  const { issuer } = settings.endpoints;
  if (name === "apple") return { name, settings, issuers: [issuer], scopes: ["name", "email"] };
  // https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken: with the scheme or without.
  return {
    name,
    settings,
    issuers: [issuer, issuer.replace(/^https:\/\//, "")],
    scopes: ["openid", "email", "profile"],
  };
}
