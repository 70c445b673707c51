import "./build-assets.ts";
import { prepareLocal } from "./operations/prepare.ts";

// The build command of wrangler. A plain `wrangler dev` on a fresh clone must work as `npm run dev` does.

if (process.env.WRANGLER_COMMAND === "dev") prepareLocal();
