import * as module from "node:module";

// Node looks for the nearest package.json of each imported file, and reads it anew each time: for the 200 files of
// drizzle-orm, whose package.json has 179 KB, that is half of the CPU time in which a command starts. They are all ES
// modules, so Node is told so. Without the hook everything works as well, only later.
module.registerHooks?.({
  resolve(specifier, context, next) {
    const { parentURL } = context;
    const isOwn = /^\.\.?\/.*\.js$/.test(specifier) && parentURL?.includes("/node_modules/drizzle-orm/");
    if (!isOwn) return next(specifier, context);
    return { url: new URL(specifier, parentURL).href, format: "module", shortCircuit: true };
  },
});
