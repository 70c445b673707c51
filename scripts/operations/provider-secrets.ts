import { providerSwitchOf } from "../../src/config.ts";
import { isUnset } from "../../src/platform/config/settings.ts";
import { newSecrets } from "../secrets.ts";
import type { DeployedEnvironment, Environment } from "./configuration.ts";
import { type Finding, warning } from "./finding.ts";

/** Stand-ins for secrets that must have a form; the values of secrets cannot be read. */
const standIns: Readonly<Record<string, string>> = {
  SMS_FALLBACK_SECRET: `whsec_${Buffer.alloc(24).toString("base64")}`,
  APPLE_PRIVATE_KEY: "-----BEGIN PRIVATE KEY-----",
};

/** All optional secrets. */
export const optionalSecrets = [
  ...Object.keys(providerSwitchOf),
  ...["FCM_SERVICE_ACCOUNT", "WEBHOOKS", "TEST_IDENTIFIERS"],
];

/**
 * The production settings: variables, and stand-ins for secrets, whose values cannot be read.
 *
 * @param secretNames secrets that are set; undefined if unknown, for example without an account.
 */
export function productionSettings(vars: Record<string, string>, secretNames: readonly string[] | undefined) {
  const isSet = (name: string, variable: string) => secretNames?.includes(name) ?? Boolean(vars[variable]);
  const set = Object.entries(providerSwitchOf).filter(([name, variable]) => isSet(name, variable));
  const values = set.map(([name]) => [name, standIns[name] ?? "unreadable"]);
  return { ...vars, ...newSecrets(), ...Object.fromEntries(values), EMAIL: {} };
}

/** Lists required provider secrets that cannot be checked. */
export function checkUnseenSecrets(vars: Record<string, string>, env: DeployedEnvironment): Finding[] {
  return Object.entries(providerSwitchOf)
    .filter(([, variable]) => vars[variable])
    .map(([name, variable]) =>
      warning(
        name,
        `is required if ${variable} is set, and cannot be checked without an account`,
        `Set it with ${putSecret(name, env)}`,
      ),
    );
}

/** Lists provider secrets that the Worker ignores, because the variable that switches the provider on is not set. */
export function checkUnusedSecrets(settings: Readonly<Record<string, unknown>>, env: Environment): Finding[] {
  return Object.entries(providerSwitchOf)
    .filter(([name, variable]) => !isUnset(settings[name]) && isUnset(settings[variable]))
    .map(([name, variable]) =>
      warning(
        name,
        `is not used, because ${variable} is not set`,
        env
          ? `Set ${variable} in [env.${env}.vars] of wrangler.toml, or delete the secret with ${deleteSecret(name, env)}`
          : `Set ${variable} too, or remove it from .dev.vars`,
      ),
    );
}

/** The command that asks for the value of a secret and sets it. */
export const putSecret = (name: string, env: DeployedEnvironment) => `npx wrangler secret put ${name} --env ${env}`;

const deleteSecret = (name: string, env: DeployedEnvironment) => `npx wrangler secret delete ${name} --env ${env}`;
