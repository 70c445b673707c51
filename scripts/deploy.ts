import { choice, count, flag, parsed, readArguments, text, url } from "./arguments.ts";

/** Growing whole percentages below 100. */
function readShares(given: string): number[] | undefined {
  const shares = given.split(",").map(Number);
  const isGrowing = shares.every(
    (share, nth) => Number.isInteger(share) && share > (shares[nth - 1] ?? 0) && share < 100,
  );
  return isGrowing ? shares : undefined;
}

const { options, refuse } = readArguments({
  name: "deploy",
  about:
    "Creates missing resources, sets missing secrets, migrates, and gives the new version the traffic with health checks.",
  options: {
    env: choice("NAME", "environment", ["staging", "production"], { default: "production" }),
    promote: flag("deploy to production the bundle that staging runs"),
    "dry-run": flag("only print the commands and build the bundle, without account or network"),
    shares: parsed(
      "LIST",
      "percentages of the traffic for the new version, one after another, before all of it (default: none)",
      "growing whole percentages below 100, such as 10,50",
      readShares,
    ),
    pause: count("SECONDS", "how long to watch each share", { min: 0, max: 99_999, default: 300 }),
    url: url("of the API, if it is not ISSUER"),
    location: text("HINT", "location hint of new databases and buckets; apac is the nearest to Nepal", {
      default: "apac",
    }),
  },
});
const { env, shares = [], url: origin, location, promote: isPromotion, "dry-run": isRehearsal } = options;
if (isPromotion && env === "staging") refuse("--promote deploys to production.");

const { deploy } = await import("./operations/deploy.ts");
const given = { env, isPromotion, url: origin, location, shares, pauseMs: options.pause * 1000 };
if (!(await deploy(given, isRehearsal))) process.exit(1);
process.exit(0);
