import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { newSecrets } from "./scripts/secrets.ts";

export default defineConfig({
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.toml" },
      remoteBindings: false,
      miniflare: {
        compatibilityFlags: ["nodejs_compat", "service_binding_extra_handlers"],
        bindings: {
          ...newSecrets(),
          MIGRATIONS: await readD1Migrations("./migrations/users"),
          RACE_SEEDS: process.env.RACE_SEEDS ?? "2",
        },
      },
    })),
  ],
  test: {
    include: ["tests/**/*.test.ts"],
    setupFiles: ["./tests/support/setup.ts"],
    isolate: false,
    silent: "passed-only",
    testTimeout: 60_000,
    deps: {
      optimizer: {
        ssr: {
          enabled: true,
          // All of them: one that is found later reloads the run.
          include: [
            "@hono/zod-openapi",
            "@hono/zod-validator",
            "@remix-run/multipart-parser",
            "drizzle-orm",
            "drizzle-orm/d1",
            "drizzle-orm/sqlite-core",
            "drizzle-orm/utils",
            "hono",
            "hono/accepts",
            "hono/cors",
            "hono/html",
            "hono/method-not-allowed",
            "hono/request-id",
            "hono/secure-headers",
            "hono/utils/ipaddr",
            "jose",
            "libphonenumber-js/max",
            "standardwebhooks",
            "uuid",
            "zod",
            "ajv/dist/2020",
            "ajv-formats",
          ],
        },
      },
    },
  },
});
