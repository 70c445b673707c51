import { join } from "node:path";
import { readArguments } from "./arguments.ts";

const { operands } = readArguments({
  name: "screenshots",
  about:
    "Takes the pictures of docs/staff.md from the development server with generated people. Needs Chromium (CHROMIUM_PATH if it is not in /usr/bin).",
  operands: "[FOLDER]",
  most: 1,
});
const folder = operands[0] ?? join(import.meta.dirname, "..", "docs", "pictures");

const { takeScreenshots } = await import("./docs/take-screenshots.ts");
await takeScreenshots(folder);
