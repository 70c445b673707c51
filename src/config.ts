import { z } from "zod";
import { accountSettings, readAccountSettings } from "./auth/account/account-settings.ts";
import { otpSettings } from "./auth/otp/otp-settings.ts";
import { findHalfConfiguredPasskeys, passkeySettings, readPasskeys } from "./auth/passkey/passkey-settings.ts";
import {
  findHalfConfiguredSocial,
  importSocialKeys,
  readSocial,
  socialOriginsOf,
  socialSettings,
  socialSwitches,
} from "./auth/social/social-settings.ts";
import { consoleSettings, findHalfConfiguredAccess, readConsole } from "./console/console-settings.ts";
import {
  findHalfConfigured,
  importProviderKeys,
  MAX_NAME_AND_DOMAIN,
  providerOriginsOf,
  providerSettings,
  providerSwitches,
  readProviderSettings,
} from "./delivery/provider-settings.ts";
import { findInsecureWebhook, webhookSettings } from "./delivery/webhook-settings.ts";
import { type Config, ConfigError, readSharedSettings, sharedSettings } from "./platform/config/config.ts";
import { importSharedKeys, type Keyring } from "./platform/config/keyring.ts";
import { isUnset } from "./platform/config/settings.ts";
import { STAFF_VIEWS_PER_HOUR, staffViewSettings } from "./sessions/staff-view-settings.ts";
import { REFUSAL_FLUSH_MS, refusalSettings } from "./staff/figures/refusal-settings.ts";
import { KYC_APPROVALS, kycReviewSettings } from "./staff/kyc-review/kyc-review-settings.ts";
import { identifierSettings } from "./users/identifier-settings.ts";
import { deriveKycKeys } from "./users/kyc/kyc-keys.ts";

const settings = z.object({
  ...sharedSettings,
  ...accountSettings,
  ...identifierSettings,
  ...otpSettings,
  ...passkeySettings,
  ...providerSettings,
  ...socialSettings,
  ...consoleSettings,
  ...staffViewSettings,
  ...kycReviewSettings,
  ...refusalSettings,
  ...webhookSettings,
});

/** Name of every variable and secret that the Worker reads. */
export const settingNames: readonly string[] = Object.keys(settings.shape).filter((name) => name !== "EMAIL");

/** Secrets of providers, each with the variable that switches its provider on. Without it, the secret is ignored. */
export const providerSwitchOf: Readonly<Record<string, string>> = { ...providerSwitches, ...socialSwitches };

/**
 * Only a variable switches a provider on, because variables change together with a version and a secret changes at
 * once: otherwise adding or removing a provider would pass through an incomplete configuration.
 */
function withoutUnusedSecrets(env: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const unused = Object.entries(providerSwitchOf).filter(([, variable]) => isUnset(env[variable]));
  return { ...env, ...Object.fromEntries(unused.map(([secret]) => [secret, undefined])) };
}

/**
 * Parses the Worker's variables and secrets. A secret whose provider is not switched on is ignored.
 *
 * @throws ConfigError if one is missing, malformed or weak. There are no insecure defaults: no request is served in
 *   that case.
 */
export function parseConfig(env: Readonly<Record<string, unknown>>): Config {
  const parsed = settings.safeParse(withoutUnusedSecrets(env));
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  const value = parsed.data;
  if (value.APP_NAME.length + value.OTP_AUTOFILL_DOMAIN.length > MAX_NAME_AND_DOMAIN) {
    throw new ConfigError(
      `APP_NAME, OTP_AUTOFILL_DOMAIN: must have at most ${MAX_NAME_AND_DOMAIN} characters together`,
    );
  }
  const shared = readSharedSettings(value);
  const { isDevelopment } = shared;
  const webhooks = value.WEBHOOKS ?? [];
  const unfit =
    findHalfConfigured(value, isDevelopment) ??
    findHalfConfiguredSocial(value, isDevelopment) ??
    findHalfConfiguredPasskeys(value, isDevelopment) ??
    findHalfConfiguredAccess(value) ??
    findInsecureWebhook(webhooks, isDevelopment);
  if (unfit) throw new ConfigError(unfit);
  const delivery = readProviderSettings(value);
  const social = readSocial(value);
  const console = readConsole(value, isDevelopment);
  return {
    ...shared,
    ...delivery,
    ...readAccountSettings(value),
    ...readPasskeys(value),
    smsCountries: value.SMS_COUNTRIES,
    testIdentifiers: value.TEST_IDENTIFIERS,
    refusalFlushMs: value.REFUSAL_FLUSH_MS ?? REFUSAL_FLUSH_MS,
    kycApprovals: value.KYC_APPROVALS ?? KYC_APPROVALS,
    staffViewsPerHour: value.STAFF_VIEWS_PER_HOUR ?? STAFF_VIEWS_PER_HOUR,
    social,
    console,
    webhooks,
    egressOrigins: new Set([
      ...providerOriginsOf(delivery.providers),
      ...webhooks.map(({ url }) => new URL(url).origin),
      ...socialOriginsOf(social),
      ...(console.access ? [console.access.issuer] : []),
    ]),
  };
}

/**
 * Imports and derives all keys of the configuration.
 *
 * @throws ConfigError naming the invalid key.
 */
export async function buildKeyring(config: Config): Promise<Keyring> {
  return {
    ...(await importSharedKeys(config)),
    ...(await deriveKycKeys(config)),
    ...(await importProviderKeys(config)),
    ...(await importSocialKeys(config)),
  };
}
