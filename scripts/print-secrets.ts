import { readArguments } from "./arguments.ts";
import { newSecrets } from "./secrets.ts";

readArguments({
  name: "secrets",
  about: "Prints a new value for every secret. Store them in a vault; nothing is saved here.",
});

for (const [name, value] of Object.entries(newSecrets())) console.log(`${name}=${value}`);
