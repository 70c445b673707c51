import { join } from "node:path";
import { choice, readArguments, text } from "./arguments.ts";
import { fail } from "./d1.ts";
import { root } from "./operations/wrangler.ts";

const { options } = readArguments({
  name: "doctor",
  about: "Lists missing and weak settings; exits with 0 if there are no errors, otherwise 1.",
  options: {
    env: choice("NAME", "environment, if it is not development", ["production", "staging"]),
    config: text("FILE", "configuration of the Worker", { default: join(root, "wrangler.toml") }),
  },
});

const { isReady } = await import("./operations/report-findings.ts");
const ready = await isReady(options.config, options.env).catch((error: unknown) =>
  fail(error instanceof Error ? error.message : String(error)),
);
process.exit(ready ? 0 : 1);
