import { newSecrets } from "./secrets.ts";

// `npm run secrets`: prints a new value for every secret. Store them in a vault; nothing is saved here.

for (const [name, value] of Object.entries(newSecrets())) console.log(`${name}=${value}`);
