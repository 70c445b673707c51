import { newSecrets } from "../secrets.ts";
import { type Finding, warning } from "./finding.ts";

/** Secrets of providers, the variable beside which each is needed, and what stands for one that cannot be read. */
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

/** Every secret that may be set and need not. */
export const optionalSecrets = [
  ...providerSecrets.map(({ name }) => name),
  ...["FCM_SERVICE_ACCOUNT", "WEBHOOKS", "TEST_IDENTIFIERS"],
];

/**
 * What production would be configured with: its variables, and stand-ins for secrets, whose values nobody can read.
 *
 * @param secretNames those that are set; undefined where that is not known, as without an account.
 */
export function productionSettings(vars: Record<string, string>, secretNames: readonly string[] | undefined) {
  const isSet = ({ name, beside }: (typeof providerSecrets)[number]) =>
    secretNames ? secretNames.includes(name) : Boolean(vars[beside]);
  const standIns = providerSecrets.filter(isSet).map(({ name, standIn }) => [name, standIn]);
  return { ...vars, ...newSecrets(), ...Object.fromEntries(standIns), EMAIL: {} };
}

/** A line for each secret that must be set, where it cannot be seen whether it is. */
export function checkUnseenSecrets(vars: Record<string, string>): Finding[] {
  return providerSecrets
    .filter(({ beside }) => vars[beside])
    .map(({ name, beside }) =>
      warning(name, `is needed beside ${beside}, and cannot be looked for without an account`, putSecret(name)),
    );
}

/** The command that sets a secret of production, and asks for its value. */
export const putSecret = (name: string) => `npx wrangler secret put ${name} --env production`;
