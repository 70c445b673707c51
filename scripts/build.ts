import { prepareLocal } from "./operations/prepare.ts";

// The build command of wrangler. A plain `wrangler dev` on a fresh clone must work as `npm run dev` does.

try {
  await import("./build-assets.ts");
} catch (error) {
  // esbuild has shown what is wrong with the source, and where; a stack trace would hide it.
  if (error instanceof Error && "errors" in error) process.exit(1);
  throw error;
}
if (process.env.WRANGLER_COMMAND === "dev") prepareLocal();
