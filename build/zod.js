// Replaces Zod in the Worker's bundle (see `alias` in wrangler.toml) to leave out its sixty locales, which a namespace
// import would include. The paths are relative because the package name resolves to this file.
import * as z from "./zod.js";

export * from "../node_modules/zod/v4/classic/checks.js";
export * as coerce from "../node_modules/zod/v4/classic/coerce.js";
export * from "../node_modules/zod/v4/classic/compat.js";
export * from "../node_modules/zod/v4/classic/errors.js";
export * as iso from "../node_modules/zod/v4/classic/iso.js";
export { ZodISODate, ZodISODateTime, ZodISODuration, ZodISOTime } from "../node_modules/zod/v4/classic/iso.js";
export * from "../node_modules/zod/v4/classic/parse.js";
export * from "../node_modules/zod/v4/classic/schemas.js";
export {
  clone,
  config,
  globalRegistry,
  NEVER,
  registry,
  toJSONSchema,
  util,
} from "../node_modules/zod/v4/core/index.js";
export { z, z as default };
