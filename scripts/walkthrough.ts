import { readArguments } from "./arguments.ts";
import { localBase } from "./operations/local-server.ts";

const { operands, refuse } = readArguments({
  name: "walkthrough",
  about: "Calls a running npm run dev as a client app would, from the first code to signing out, and prints each step.",
  operands: "[URL]",
  most: 1,
  notes: [`URL is the server's address (default: ${localBase()}).`],
});
const base = (operands[0] ?? localBase()).replace(/\/$/, "");
if (!URL.canParse(base)) refuse(`${base} is not a URL.`);

const { walk } = await import("./walkthrough/walk.ts");
await walk(base);
