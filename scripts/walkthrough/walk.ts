import { liveAndLeave } from "./account.ts";
import { newCaller } from "./caller.ts";
import { changeIdentity } from "./identity.ts";
import { loseSessions } from "./sessions.ts";

/** Takes all steps at the server; the first that fails ends the process with 1. */
export async function walk(base: string): Promise<void> {
  const caller = newCaller(base);
  await caller.call("GET", "/api/health").catch(() => {
    console.error(`No server responds at ${base}. Start it with: npm run dev`);
    process.exit(1);
  });
  const left = await liveAndLeave(caller);
  const signedOut = await loseSessions(caller);
  await changeIdentity(caller, [...signedOut, ...left]);
  console.log("\nAll steps passed.");
}
