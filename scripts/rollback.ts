import { choice, flag, parsed, readArguments, url } from "./arguments.ts";

const VERSION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const { options } = readArguments({
  name: "rollback",
  about: "Gives all traffic to an earlier version.",
  options: {
    env: choice("NAME", "environment", ["staging", "production"], { default: "production" }),
    to: parsed(
      "VERSION",
      "id of the version (default: the one that served traffic before the present one)",
      "the id of a version (see npx wrangler versions list)",
      (given) => (VERSION_ID.test(given) ? given : undefined),
    ),
    "dry-run": flag("only print the commands, without account or network"),
    url: url("of the API, if it is not ISSUER"),
  },
});

const { rollBack } = await import("./operations/deploy.ts");
const given = { env: options.env, url: options.url, location: "", shares: [], pauseMs: 0 };
if (!(await rollBack(given, options.to, options["dry-run"]))) process.exit(1);
