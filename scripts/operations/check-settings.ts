import { parseConfig } from "../../src/config.ts";
import { type Config, ConfigError } from "../../src/platform/config/config.ts";
import { newSecrets } from "../secrets.ts";
import type { DeployedEnvironment, Environment } from "./configuration.ts";
import { error, type Finding, warning } from "./finding.ts";
import { checkUnusedSecrets, optionalSecrets, putSecret } from "./provider-secrets.ts";

const DAY_MS = 24 * 60 * 60_000;
const MAX_TEST_IDENTIFIER_DAYS = 30;
/** A higher daily limit is probably a mistake. */
const WIDE_SMS_BUDGET = 10_000;

/** Reserved for documentation (RFC 2606 section 3), so no deployer owns them. */
const EXAMPLE = /(^|[./@])example\.(com|org|net)\b/;

/**
 * Lists missing and weak variables and secrets: first the Worker's own rules, without which it does not serve, then
 * weaknesses that it would accept.
 */
export function checkSettings(
  settings: Readonly<Record<string, unknown>>,
  { now, env }: { now: number; env: Environment },
): Finding[] {
  const placeholders = env ? checkPlaceholders(settings, env) : [];
  let config: Config;
  try {
    config = parseConfig(settings);
  } catch (refusal) {
    if (!(refusal instanceof ConfigError)) throw refusal;
    return [...placeholders, ...refusal.message.split("; ").map((line) => explain(line, env))];
  }
  const isClosed = config.corsOrigins.length === 0;
  const closed = "is empty, so no web page on another origin can call the API";
  return [
    ...placeholders,
    ...checkUnusedSecrets(settings, env),
    ...checkSecrets(config),
    ...checkTestIdentifiers(config, now),
    ...(env ? checkProduction(config) : []),
    ...(isClosed ? [warning("CORS_ORIGINS", closed, "If there is a dashboard, add its origin")] : []),
  ];
}

const secretNames = [...Object.keys(newSecrets()), ...optionalSecrets];

/** Turns a configuration error of the Worker, `NAME.path: why`, into a finding with what to do. */
function explain(line: string, env: Environment): Finding {
  const [, path = line, why = "is not valid"] = /^([^:]+): (.*)$/s.exec(line) ?? [];
  const name = /^\w+/.exec(path)?.[0] ?? path;
  const place = env ? `[env.${env}.vars]` : "[vars]";
  if (!secretNames.includes(name)) return error(path, why, `Set it in ${place} of wrangler.toml`);
  return error(path, why, env ? putSecret(name, env) : "Set it in .dev.vars; npm run secrets prints new values");
}

function checkPlaceholders(settings: Readonly<Record<string, unknown>>, env: DeployedEnvironment): Finding[] {
  return Object.entries(settings)
    .filter(([, value]) => typeof value === "string" && value.split(/[\s,]+/).some((part) => EXAMPLE.test(part)))
    .map(([name, value]) =>
      error(name, `${value} is an example`, `Set your own in [env.${env}.vars] of wrangler.toml`, "placeholder"),
    );
}

function checkSecrets({ tokenSecrets, dataSecrets, lookupSecret, accessTokenKeys }: Config): Finding[] {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const uses = [
    ...tokenSecrets.map(({ kid, secret }) => ({ name: `TOKEN_SECRETS ${kid}`, value: hex(secret) })),
    ...dataSecrets.map(({ kid, secret }) => ({ name: `DATA_SECRETS ${kid}`, value: hex(secret) })),
    { name: "LOOKUP_SECRET", value: hex(lookupSecret) },
    ...accessTokenKeys.map(({ kid, x }) => ({ name: `ACCESS_TOKEN_KEYS ${kid}`, value: x })),
  ];
  return [...Map.groupBy(uses, ({ value }) => value).values()]
    .filter((same) => same.length > 1)
    .map((same) => {
      const names = same.map(({ name }) => name).join(" and ");
      return error(names, "have the same value", "Use a different value for each; npm run secrets prints new values");
    });
}

function checkTestIdentifiers({ testIdentifiers }: Config, now: number): Finding[] {
  return testIdentifiers.flatMap(({ identifier, until }) => {
    const name = `TEST_IDENTIFIERS ${identifier.slice(0, 3)}…`;
    const endsAt = Date.parse(until) + DAY_MS;
    if (endsAt <= now) return [error(name, `ended on ${until}`, "Remove it, or set a later end")];
    return endsAt - now > (MAX_TEST_IDENTIFIER_DAYS + 1) * DAY_MS
      ? [error(name, `ends on ${until}, more than ${MAX_TEST_IDENTIFIER_DAYS} days ahead`, "Set an earlier end")]
      : [];
  });
}

function checkProduction(config: Config): Finding[] {
  const { issuer, corsOrigins, providers, smsDailyBudget, isDevelopment, console: staffConsole } = config;
  const isLocal = (text: string) => /^https?:\/\/(localhost|127\.|\[::1\])/.test(text);
  const hasSms = providers.sparrow !== undefined || providers.smsFallback !== undefined;
  const open = "in development, anyone can read every message";
  const wide = `allows ${smsDailyBudget} paid calls a day`;
  return [
    ...(isDevelopment ? [error("ENVIRONMENT", open, "Set it to production")] : []),
    ...(isLocal(issuer) ? [error("ISSUER", `${issuer} is on this machine`, "Set the URL that clients call")] : []),
    ...corsOrigins
      .filter((origin) => isLocal(origin) || origin.startsWith("http:"))
      .map((origin) => error("CORS_ORIGINS", `${origin} is local or not https`, "Remove it")),
    ...checkStaffPasskeys(config),
    ...checkChannels(hasSms, providers.email !== undefined),
    ...checkConsole(staffConsole),
    ...checkConsolePasskeys(config),
    ...(smsDailyBudget > WIDE_SMS_BUDGET
      ? [warning("SMS_DAILY_BUDGET", wide, "Set it to about three times the calls of a usual day")]
      : []),
  ];
}

function checkConsole({ isOn, access }: Config["console"]): Finding[] {
  if (!isOn || access) return [];
  const open = "is on, and anyone can load its sign-in page";
  return [warning("CONSOLE", open, "Put Cloudflare Access in front of /console, and set ACCESS_TEAM and ACCESS_AUD")];
}

/** The console asks for passkeys at the API's own address, which must be one of the origins. */
function checkConsolePasskeys({ issuer, passkeys, console: { isOn } }: Config): Finding[] {
  const { origin } = new URL(issuer);
  if (!isOn || !passkeys || passkeys.origins.includes(origin)) return [];
  const without = `does not name ${origin}, so the staff console cannot use passkeys`;
  return [warning("PASSKEY_ORIGINS", without, "Add it")];
}

/** Staff open other people's identity documents, so a code by text message should not be enough for them. */
function checkStaffPasskeys({ passkeys, requiresStaffPasskeys }: Config): Finding[] {
  if (requiresStaffPasskeys) return [];
  const name = passkeys ? "STAFF_PASSKEYS" : "PASSKEY_RP_ID";
  const why = "lets staff sign in with a code alone";
  return [
    passkeys
      ? warning(
          name,
          `is optional, which ${why}`,
          "Set it to required once npm run staff -- list shows a passkey for all",
        )
      : warning(name, `is not set, which ${why}`, "Set it, and STAFF_PASSKEYS to required; see docs/passkeys.md"),
  ];
}

/** Without any channel nobody can sign in: an error. Without one of the two: a warning. */
function checkChannels(hasSms: boolean, hasEmail: boolean): Finding[] {
  const level = hasSms || hasEmail ? warning : error;
  const sms = "Set SPARROW_FROM and the secret SPARROW_TOKEN, or SMS_FALLBACK_URL and SMS_FALLBACK_SECRET";
  const email = "Set EMAIL_FROM to an address of a domain that uses Cloudflare Email Service";
  return [
    ...(hasSms ? [] : [level("SMS", "has no provider: nobody can sign in by phone", sms, "no-provider")]),
    ...(hasEmail ? [] : [level("email", "has no provider: nobody can sign in by email", email, "no-provider")]),
  ];
}
