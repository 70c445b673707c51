import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { newSecrets } from "./scripts/secrets.ts";
import { EvenShards } from "./tests/support/even-shards.ts";
import { passkeyVars } from "./tests/support/passkey-vars.ts";

// Wrangler warns about missing secrets, which the tests bind themselves.
process.env.WRANGLER_LOG ??= "error";

/** Name by which other Workers reach the Worker under test. */
const USERS = "vitest-plugin-runner-";

/** Defines another service of the platform whose bindings name it as `caller`; undefined for bindings without props. */
function otherService(name: string, caller: string | undefined) {
  const source = readFileSync(join(import.meta.dirname, "dev/platform/worker.ts"), "utf8");
  return {
    name,
    compatibilityDate: "2026-08-01",
    modules: [{ type: "ESModule" as const, path: "worker.js", contents: stripTypeScriptTypes(source) }],
    serviceBindings: {
      PLATFORM_EVENTS: { name: USERS, entrypoint: "PlatformEvents", ...(caller ? { props: { caller } } : {}) },
      TOKEN_VERIFIER: { name: USERS, entrypoint: "TokenVerifier" },
    },
    queueProducers: { EVENT_QUEUE: "platform-events" },
  };
}

export default defineConfig({
  ...(process.env.VITEST_CACHE ? { cacheDir: process.env.VITEST_CACHE } : {}),
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.toml" },
      remoteBindings: false,
      miniflare: {
        compatibilityFlags: ["nodejs_compat", "service_binding_extra_handlers"],
        bindings: {
          ...newSecrets(),
          MIGRATIONS: await readD1Migrations("./migrations/users"),
          SEARCH_MIGRATIONS: await readD1Migrations("./migrations/search"),
          // Do not wait to coalesce events: each test waits for the work that a call leaves for after its response.
          EVENT_GATHER_MS: "0",
          ...passkeyVars,
          // Its own test turns it on; elsewhere it would add a write to every refusal.
          REFUSAL_FLUSH_MS: "0",
          RACE_SEEDS: process.env.RACE_SEEDS ?? "2",
          RACE_CLIENTS: process.env.RACE_CLIENTS ?? "20",
          HOMES_USERS: process.env.HOMES_USERS ?? "8",
          ...Object.fromEntries(
            [
              "FUZZ_REQUESTS",
              "FUZZ_SEED",
              "FUZZ_PATH",
              "MODEL_RUNS",
              "FAULTS_ONLY",
              "FAULTS_WHOLE",
              "BUDGET_USERS",
              "BUDGET_ONLY",
            ].flatMap((name) => {
              const value = process.env[name];
              return value === undefined ? [] : [[name, value]];
            }),
          ),
        },
        // For tests/homes alone.
        d1Databases: { HOME_1: "home-1", HOME_2: "home-2", DIRECTORY: "directory" },
        serviceBindings: { RENTALS: "rentals", NOBODY: "nobody" },
        workers: [otherService("rentals", "rentals"), otherService("nobody", undefined)],
      },
    })),
  ],
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: ["tests/support/stand-ins.ts"],
    setupFiles: ["./tests/support/setup.ts"],
    isolate: false,
    sequence: { sequencer: EvenShards },
    silent: "passed-only",
    testTimeout: 60_000,
    // The OTP queue is delivered in the background, so its last log line may come after the last test.
    onUnhandledError: (error) => error.name !== "EnvironmentTeardownError",
    deps: {
      optimizer: {
        ssr: {
          enabled: true,
          // List all of them: a dependency found later reloads the run.
          include: [
            "@hono/zod-validator",
            "drizzle-orm",
            "drizzle-orm/d1",
            "drizzle-orm/sqlite-core",
            "drizzle-orm/utils",
            "hono",
            "hono/accepts",
            "hono/cors",
            "hono/html",
            "hono/method-not-allowed",
            "hono/route",
            "hono/utils/ipaddr",
            "jose",
            "libphonenumber-js/max",
            "standardwebhooks",
            "uuid",
            "zod",
            "arctic",
            "hono/cookie",
            "@simplewebauthn/server",
            "@simplewebauthn/server/helpers",
            "ajv/dist/2020",
            "ajv-formats",
            "fast-check",
          ],
        },
      },
    },
  },
});
