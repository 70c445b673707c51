import { readArguments } from "./arguments.ts";

readArguments({
  name: "bundle",
  about: "Builds the production bundle and the staff console, and fails if one exceeds its size limit.",
});

const { isWithinLimits } = await import("./operations/measure-bundle.ts");
process.exit(isWithinLimits() ? 0 : 1);
