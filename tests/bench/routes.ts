import { benchCommand, benchOptions, optionsOrExit } from "./routes/options.ts";

const options = optionsOrExit(benchCommand, benchOptions);

const { benchRoutes } = await import("./routes/run.ts");
await benchRoutes(options);
