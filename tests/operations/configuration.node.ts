import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkBindings } from "../../scripts/operations/check-bindings.ts";
import { checkLocalDatabases, checkMachine } from "../../scripts/operations/check-machine.ts";
import { checkSettings } from "../../scripts/operations/check-settings.ts";
import { isZeroId, readConfiguration, textVars } from "../../scripts/operations/configuration.ts";
import { diagnoseDeployed } from "../../scripts/operations/diagnose.ts";
import { localDatabases } from "../../scripts/operations/local-database.ts";
import { root } from "../../scripts/operations/wrangler.ts";
import { replaceZeroId } from "../../scripts/operations/zero-ids.ts";
import { newSecrets } from "../../scripts/secrets.ts";
import { callsPerMinute } from "../../src/platform/http/first-limiter.ts";
import { writesPerMinute } from "../../src/platform/http/write-limit.ts";

const path = join(root, "wrangler.toml");
const development = readConfiguration(path, undefined);
const production = readConfiguration(path, "production");
const staging = readConfiguration(path, "staging");
const now = Date.parse("2026-11-26T00:00:00Z");

const settings = (changed: Record<string, string> = {}) => ({
  ...textVars(development),
  ...newSecrets(),
  EMAIL: {},
  ...changed,
});
const findingsOf = (changed: Record<string, string>, isProduction = false, given = settings(changed)) =>
  checkSettings(given, { now, env: isProduction ? "production" : undefined }).map(
    ({ level, what, why }) => `${level} ${what}: ${why}`,
  );

test("the local databases of the scripts are those of wrangler.toml", () => {
  assert.deepEqual(
    development.d1_databases.map(({ binding, database_id, migrations_dir }) => [binding, database_id, migrations_dir]),
    localDatabases.map(({ binding, id, migrations }) => [binding, id, migrations]),
  );
});

test("the limiters of every environment have the limits that responses state", () => {
  const stated = { RATE_LIMITER: callsPerMinute, USER_RATE_LIMITER: writesPerMinute };
  for (const { ratelimits } of [development, production, staging]) {
    const configured = ratelimits.map(({ name, simple }) => [name, { ...simple }]);
    const expected = Object.entries(stated).map(([name, { count, windowMs }]) => [
      name,
      { limit: count, period: windowMs / 1000 },
    ]);
    assert.deepEqual(configured, expected);
  }
});

test("every environment has every binding, queue and cron that the code uses", () => {
  assert.deepEqual(checkBindings(development, undefined), []);
  for (const [environment, config] of [
    ["production", production],
    ["staging", staging],
  ] as const) {
    const findings = checkBindings(config, environment);
    assert.deepEqual(
      findings.filter(({ kind }) => kind !== "zero-id"),
      [],
    );
    const ids = [...config.d1_databases.map((each) => each.database_id), ...config.kv_namespaces.map(({ id }) => id)];
    assert.equal(findings.length, ids.filter(isZeroId).length);
  }
});

test("staging has what production has, with names, hosts and budgets of its own", () => {
  const shapeOf = ({
    d1_databases,
    kv_namespaces,
    r2_buckets,
    queues,
    triggers,
    secrets,
    vars,
  }: typeof production) => ({
    bindings: [d1_databases, kv_namespaces, r2_buckets, queues.producers ?? []].map((all) =>
      (all as { binding: string }[]).map(({ binding }) => binding),
    ),
    consumers: (queues.consumers ?? []).map(({ queue, dead_letter_queue, ...settings }) => ({
      ...settings,
      queue: queue.replace("-staging", ""),
      dead_letter_queue: dead_letter_queue?.replace("-staging", ""),
    })),
    crons: triggers.crons,
    secrets,
    vars: Object.keys(vars),
  });
  assert.deepEqual(shapeOf(staging), shapeOf(production));
  const names = (config: typeof production) => [
    config.name,
    ...config.d1_databases.map((each) => each.database_name),
    ...config.r2_buckets.map((each) => each.bucket_name),
    ...(config.queues.consumers ?? []).map(({ queue }) => queue),
    ...["ISSUER", "AUDIENCE", "PASSKEY_RP_ID"].map((name) => config.vars[name]),
  ];
  const shared = names(staging).filter((name) => names(production).includes(name as string));
  assert.deepEqual(shared, []);
});

test("a missing binding, consumer, dead-letter queue or cron is reported", () => {
  const { d1_databases, kv_namespaces, queues } = development;
  const consumers = queues.consumers ?? [];
  const cases: [string, Partial<typeof development>][] = [
    ["SEARCH_DB is not bound", { d1_databases: d1_databases.slice(0, 1) }],
    ["KV is not bound", { kv_namespaces: kv_namespaces.slice(1) }],
    ["no cron runs every minute", { triggers: { crons: ["0 3 * * *"] } }],
    [
      "the queue search has no consumer",
      { queues: { ...queues, consumers: consumers.filter(({ queue }) => queue !== "search") } },
    ],
    [
      "tasks has no dead-letter queue",
      {
        queues: {
          ...queues,
          consumers: consumers.map(({ queue, dead_letter_queue }) =>
            queue === "tasks" || !dead_letter_queue ? { queue } : { queue, dead_letter_queue },
          ),
        },
      },
    ],
    [
      "otp has a dead-letter queue",
      { queues: { ...queues, consumers: consumers.map((each) => ({ ...each, dead_letter_queue: "dead-letters" })) } },
    ],
    [
      "the dead-letter queue dead-letters has no consumer",
      { queues: { ...queues, consumers: consumers.filter(({ queue }) => queue !== "dead-letters") } },
    ],
  ];
  for (const [what, change] of cases) {
    const findings = checkBindings({ ...development, ...change }, undefined);
    assert.ok(
      findings.some((finding) => finding.what === what && finding.level === "error"),
      what,
    );
  }
});

test("a valid configuration has no findings", () => {
  assert.deepEqual(findingsOf({}), []);
});

test("each weak setting is reported without the value of any secret", () => {
  const { TOKEN_SECRETS, LOOKUP_SECRET } = newSecrets();
  const same = JSON.stringify([{ kid: "k", secret: LOOKUP_SECRET }]);
  const cases: [Record<string, string>, RegExp][] = [
    [{ LOOKUP_SECRET: "short" }, /^error LOOKUP_SECRET: must be at least 32 random bytes/],
    [{ TOKEN_SECRETS: "[]" }, /^error TOKEN_SECRETS: /],
    [{ DATA_SECRETS: same, LOOKUP_SECRET }, /^error DATA_SECRETS k and LOOKUP_SECRET: have the same value/],
    [
      { TOKEN_SECRETS, DATA_SECRETS: TOKEN_SECRETS },
      /^error TOKEN_SECRETS \S+ and DATA_SECRETS \S+: have the same value/,
    ],
    [{ CORS_ORIGINS: "https://a.test/path" }, /^error CORS_ORIGINS.0: must be an origin/],
    [{ CORS_ORIGINS: "" }, /^warning CORS_ORIGINS: is empty/],
    [{ SPARROW_FROM: "PowerBank" }, /^error SPARROW_TOKEN: required with SPARROW_FROM/],
    [{ GOOGLE_CLIENT_ID: "id" }, /^error GOOGLE_CLIENT_SECRET: /],
    [{ SPARROW_TOKEN: LOOKUP_SECRET }, /^warning SPARROW_TOKEN: is not used, because SPARROW_FROM is not set/],
    [{ SMS_DAILY_BUDGET: "" }, /^error SMS_DAILY_BUDGET: required/],
    [{ TEST_IDENTIFIERS: testers("2026-11-25", 1) }, /^error TEST_IDENTIFIERS \+97…: ended on 2026-11-25/],
    [
      { TEST_IDENTIFIERS: testers("2027-01-15", 1) },
      /^error TEST_IDENTIFIERS \+97…: ends on 2027-01-15, more than 30 days/,
    ],
    [{ TEST_IDENTIFIERS: testers("2026-12-01", 6) }, /^error TEST_IDENTIFIERS: /],
  ];
  for (const [changed, expected] of cases) {
    const given = settings(changed);
    const lines = findingsOf(changed, false, given);
    assert.equal(lines.length, 1, `${JSON.stringify(Object.keys(changed))}: ${lines.join("\n")}`);
    assert.match(lines[0] ?? "", expected);
    for (const secret of secretValues(given)) assert.ok(!lines.join().includes(secret), `${expected} shows a secret`);
  }
});

/** The required secrets, and the secrets inside of them. */
function secretValues(given: Readonly<Record<string, unknown>>): string[] {
  const whole = Object.keys(newSecrets()).map((name) => String(given[name]));
  return [...whole, ...whole.flatMap((each) => each.match(/[\w+/=-]{40,}/g) ?? [])].filter((each) => each.length > 4);
}

function testers(until: string, count: number): string {
  return JSON.stringify(
    Array.from({ length: count }, (_, i) => ({ identifier: `+977984100000${i}`, code: "123456", until })),
  );
}

test("production also requires https, its own hosts, a provider for codes, and an SMS budget", () => {
  const own = {
    ENVIRONMENT: "production",
    ISSUER: "https://api.powerbank.test",
    CORS_ORIGINS: "https://a.test",
    STAFF_PASSKEYS: "required",
    OTP_AUTOFILL_DOMAIN: "powerbank.test",
    PASSKEY_RP_ID: "powerbank.test",
    PASSKEY_ORIGINS: "https://dashboard.powerbank.test",
    EMAIL_FROM: "a@powerbank.test",
    SPARROW_FROM: "P",
    SPARROW_TOKEN: "t",
    SMS_DAILY_BUDGET: "2000",
  };
  assert.deepEqual(findingsOf(own, true), []);
  const cases: [Record<string, string>, RegExp][] = [
    [{ ISSUER: "http://api.powerbank.test" }, /^error ISSUER: must be https/],
    [{ ISSUER: "https://localhost" }, /^error ISSUER: https:\/\/localhost is on this machine/],
    [{ ISSUER: "https://api.example.com" }, /^error ISSUER: https:\/\/api.example.com is an example/],
    [
      { STAFF_PASSKEYS: "optional" },
      /^warning STAFF_PASSKEYS: is optional, which lets staff sign in with a code alone/,
    ],
    [{ CORS_ORIGINS: "http://a.test" }, /^error CORS_ORIGINS: http:\/\/a.test is local or not https/],
    [{ EMAIL_FROM: "" }, /^warning email: has no provider/],
    [{ SPARROW_FROM: "", SPARROW_TOKEN: "" }, /^warning SMS: has no provider/],
    [{ SMS_DAILY_BUDGET: "50000" }, /^warning SMS_DAILY_BUDGET: allows 50000 paid calls a day/],
    [
      { CONSOLE: "on", ACCESS_TEAM: "team", ACCESS_AUD: "a".repeat(64) },
      /^warning PASSKEY_ORIGINS: does not name https:\/\/[\w.]+, so the staff console cannot use passkeys/,
    ],
    [{ ENVIRONMENT: "development", CONSOLE: "off" }, /^error ENVIRONMENT: /],
  ];
  for (const [changed, expected] of cases) {
    const lines = findingsOf({ ...own, ...changed }, true);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", expected);
  }
  assert.deepEqual(
    findingsOf({ ...own, EMAIL_FROM: "", SPARROW_FROM: "", SPARROW_TOKEN: "" }, true).map((line) => line.split(":")[0]),
    ["error SMS", "error email"],
  );
});

test("missing production secrets are errors; without an account, only provider secrets get a warning", () => {
  const names = ["ACCESS_TOKEN_KEYS", "TOKEN_SECRETS", "DATA_SECRETS"];
  const unset = (known: string[] | undefined) =>
    diagnoseDeployed("production", production, known, now)
      .filter(({ why }) => why === "is not set")
      .map(({ what }) => what);
  assert.deepEqual(unset(names), ["LOOKUP_SECRET"]);
  assert.deepEqual(unset(undefined), []);
  const sparrow = { ...production, vars: { ...production.vars, SPARROW_FROM: "P" } };
  const [unseen] = diagnoseDeployed("production", sparrow, undefined, now).filter(
    ({ what }) => what === "SPARROW_TOKEN",
  );
  assert.equal(unseen?.level, "warning");
});

test("a compatibility date later than workerd supports is reported", () => {
  assert.deepEqual(checkMachine(development), []);
  assert.match(
    checkMachine({ ...development, compatibility_date: "2099-01-01" })[0]?.why ?? "",
    /^2099-01-01 is later/,
  );
});

test("local databases with pending migrations are reported", () => {
  const state = mkdtempSync(join(tmpdir(), "users-api-state-"));
  assert.deepEqual(
    checkLocalDatabases(state).map(({ what }) => what),
    ["local DB", "local SEARCH_DB"],
  );
  rmSync(state, { recursive: true });
});

test("an id replaces only a placeholder in its own table and leaves every other byte unchanged", () => {
  const toml = readFileSync(path, "utf8");
  const table = { header: "[[env.production.d1_databases]]", key: "database_id" };
  const zeros = '"00000000-0000-0000-0000-000000000000"';
  const clean = toml.replaceAll(/(\[\[env\.production\.d1_databases\]\][^[]*database_id = )"[^"]*"/g, `$1${zeros}`);
  const changed = replaceZeroId(clean, { ...table, having: ["binding", "SEARCH_DB"] }, "an-id");
  assert.equal(changed.replace('"an-id"', zeros), clean);
  assert.ok(changed.indexOf('"an-id"') > changed.indexOf('binding = "SEARCH_DB"\ndatabase_name = "users-search"\n'));
  assert.throws(() => replaceZeroId(changed, { ...table, having: ["binding", "SEARCH_DB"] }, "other"), /exactly one/);
  assert.throws(() => replaceZeroId(clean, { ...table, having: ["binding", "NONE"] }, "other"), /exactly one/);
});
