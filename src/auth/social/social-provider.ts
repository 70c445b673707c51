import type { Config } from "../../platform/config/config.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { AppleSettings, GoogleSettings } from "./social-settings.ts";

/** A provider's name in paths. */
export type ProviderName = "google" | "apple";

/** The parameters of a provider's flow and tokens. */
export interface SocialProvider {
  name: ProviderName;
  settings: GoogleSettings | AppleSettings;
  /** Every documented form of `iss`; accounts are stored under the first. */
  issuers: string[];
  scopes: string[];
}

/** The provider's parameters. @throws AppError `not_found` if the provider is not configured. */
export function findProvider(config: Pick<Config, "social">, name: ProviderName): SocialProvider {
  const settings = config.social[name];
  if (!settings)
    throw new AppError("not_found", {
      message: { en: "This way to sign in is not available.", ne: "साइन इनको यो तरिका उपलब्ध छैन।" },
    });
  const { issuer } = settings.endpoints;
  if (name === "apple") return { name, settings, issuers: [issuer], scopes: ["name", "email"] };
  // Google's `iss` comes with or without the scheme:
  // https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
  return {
    name,
    settings,
    issuers: [issuer, issuer.replace(/^https:\/\//, "")],
    scopes: ["openid", "email", "profile"],
  };
}
