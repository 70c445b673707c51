import { createServer } from "node:net";
import type { TestProject } from "vitest/node";
import { startApple, startGoogle } from "../../dev/openid/provider.ts";

// Runs in Node before the tests: real OpenID providers on loopback, whose settings are passed to the tests.

declare module "vitest" {
  interface ProvidedContext {
    socialVars: Record<string, string>;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const setting = { api: "http://localhost:8787" };
  const google = await startGoogle({ ...setting, port: await freePort(), nativeClientId: "google-native" });
  const apple = await startApple({ ...setting, port: await freePort(), nativeClientId: "apple-native" });
  project.provide("socialVars", { ...google.vars, ...apple.vars });
  return async () => {
    await Promise.all([google.stop(), apple.stop()]);
  };
}
