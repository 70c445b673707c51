import { newSecrets } from "../secrets.ts";
import type { DeployedEnvironment } from "./configuration.ts";
import { type Finding, warning } from "./finding.ts";

/** Provider secrets, the variable that makes each necessary, and a stand-in for its value, which cannot be read. */
const providerSecrets = [
  { name: "SPARROW_TOKEN", beside: "SPARROW_FROM", standIn: "unreadable" },
  {
    name: "SMS_FALLBACK_SECRET",
    beside: "SMS_FALLBACK_URL",
    standIn: `whsec_${Buffer.alloc(24).toString("base64")}`,
  },
  { name: "GOOGLE_CLIENT_SECRET", beside: "GOOGLE_CLIENT_ID", standIn: "unreadable" },
  { name: "APPLE_PRIVATE_KEY", beside: "APPLE_CLIENT_ID", standIn: "-----BEGIN PRIVATE KEY-----" },
];

/** All optional secrets. */
export const optionalSecrets = [
  ...providerSecrets.map(({ name }) => name),
  ...["FCM_SERVICE_ACCOUNT", "WEBHOOKS", "TEST_IDENTIFIERS"],
];

/**
 * The production settings: variables, and stand-ins for secrets, whose values cannot be read.
 *
 * @param secretNames secrets that are set; undefined if unknown, for example without an account.
 */
export function productionSettings(vars: Record<string, string>, secretNames: readonly string[] | undefined) {
  const isSet = ({ name, beside }: (typeof providerSecrets)[number]) =>
    secretNames ? secretNames.includes(name) : Boolean(vars[beside]);
  const standIns = providerSecrets.filter(isSet).map(({ name, standIn }) => [name, standIn]);
  return { ...vars, ...newSecrets(), ...Object.fromEntries(standIns), EMAIL: {} };
}

/** Lists required provider secrets that cannot be checked. */
export function checkUnseenSecrets(vars: Record<string, string>, env: DeployedEnvironment): Finding[] {
  return providerSecrets
    .filter(({ beside }) => vars[beside])
    .map(({ name, beside }) =>
      warning(
        name,
        `is required if ${beside} is set, and cannot be checked without an account`,
        `Set it with ${putSecret(name, env)}`,
      ),
    );
}

/** The command that asks for the value of a secret and sets it. */
export const putSecret = (name: string, env: DeployedEnvironment) => `npx wrangler secret put ${name} --env ${env}`;
