import { readArguments } from "./arguments.ts";
import { localHost, localPort } from "./operations/local-server.ts";

readArguments({
  name: "dev:social",
  about: "Runs npm run dev with simulated Google and Apple sign-in, and a page with their buttons.",
  notes: [
    "It has the environment of npm run dev, and uses the four ports that follow PORT: the other services, Google, Apple",
    "and the page.",
  ],
});

const port = localPort();
const host = localHost();

const { serveSocial } = await import("./dev/serve-social.ts");
await serveSocial(port, host);
