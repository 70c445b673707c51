import { newSecrets } from "./secrets.ts";

// `npm run secrets`: fresh values for every secret, to be put into the vault; nothing is kept here.

for (const [name, value] of Object.entries(newSecrets())) console.log(`${name}=${value}`);
