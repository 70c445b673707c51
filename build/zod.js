// Zod as the Worker's bundle has it: without its sixty languages, which a namespace import would keep. wrangler.toml puts
// this in the place of the package; relative paths, since the package's own name leads here.
import * as z from "./zod.js";

export * from "../node_modules/zod/v4/classic/checks.js";
export * as coerce from "../node_modules/zod/v4/classic/coerce.js";
export * from "../node_modules/zod/v4/classic/compat.js";
export * from "../node_modules/zod/v4/classic/errors.js";
export * as iso from "../node_modules/zod/v4/classic/iso.js";
export { ZodISODate, ZodISODateTime, ZodISODuration, ZodISOTime } from "../node_modules/zod/v4/classic/iso.js";
export * from "../node_modules/zod/v4/classic/parse.js";
export * from "../node_modules/zod/v4/classic/schemas.js";
export { clone, config, globalRegistry, NEVER, registry, util } from "../node_modules/zod/v4/core/index.js";
export { z, z as default };
