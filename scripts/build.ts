import "./build-assets.ts";
import { prepareLocal } from "./operations/prepare.ts";

// What wrangler runs before it bundles. A bare `wrangler dev` on a fresh clone must serve too, as `npm run dev` does.

if (process.env.WRANGLER_COMMAND === "dev") prepareLocal();
