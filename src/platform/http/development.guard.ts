import type { Deps } from "../deps.ts";
import type { Guard } from "./endpoint.ts";
import { AppError } from "./errors.ts";

function refuseOutsideDevelopment({ config }: Pick<Deps, "config">): void {
  if (!config.isDevelopment) throw new AppError("not_found");
}

/** Lets anyone call in development. Anywhere else every method of the path is `not_found`. */
export const developmentOnly: Guard<undefined> = {
  name: "developmentOnly",
  security: undefined,
  errors: ["not_found"],
  authorize: async (deps) => refuseOutsideDevelopment(deps) as undefined,
  async refusePath(c, next) {
    refuseOutsideDevelopment(c.get("deps"));
    await next();
  },
};
