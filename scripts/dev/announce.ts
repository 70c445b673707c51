import { networkInterfaces } from "node:os";

/** Prints the addresses of a server that has started. */
export function announce({ base, port, host }: { base: string; port: number; host: string }): void {
  console.log(`
Users API is running.

  Documentation   ${base}/docs
  Example app     ${base}/example/   (a small app that uses the client package)
  Outbox          ${base}/dev/outbox   (shows codes and messages; nothing is sent)
  Health          ${base}/api/health
  Staff console   ${base}/console   (sign up in the example app, then: npm run staff -- grant YOUR-NUMBER)
  Other services  http://localhost:${port + 1}   (POST /events, /queue or /tokens to send what they send)

Try it: npm run walkthrough -- ${base}
`);
  if (host !== "0.0.0.0") return;
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reached = all.filter(({ family, internal }) => family === "IPv4" && !internal);
  const addresses = reached.map(({ address }) => `http://${address}:${port}`).join(", ") || "nowhere";
  console.log(`From this network: ${addresses}\n`);
}
