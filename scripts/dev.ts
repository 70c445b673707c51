import { readArguments } from "./arguments.ts";
import { localHost, localPort } from "./operations/local-server.ts";

readArguments({
  name: "dev",
  about:
    "Runs the Worker, and a Worker that stands for the platform's other services, on this machine, and triggers the cron every minute. A fresh clone is set up first.",
  notes: [
    "Environment:",
    "  PORT        port of the API (default: 8787); the next one is that of the other services",
    "  HOST        address on which the API listens: 0.0.0.0 for phones on the local network (default: 127.0.0.1)",
    "  PERSIST_TO  folder of the local databases (default: .wrangler/state)",
    "  LOG=json    shows the Worker's log as it is, one JSON object per line",
    "",
    "Every variable and secret of docs/configuration.md can be set in the environment or in .dev.vars.",
  ],
});

const port = localPort();
const host = localHost();

const { serve } = await import("./dev/serve.ts");
await serve(port, host);
