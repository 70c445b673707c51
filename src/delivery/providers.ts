import type { Deps } from "../platform/deps.ts";
import { localOutboxProvider } from "./local-outbox.store.ts";
import type { MessageProvider, OutgoingMessage } from "./provider.ts";

type ProviderDeps = Pick<Deps, "config" | "db" | "now" | "log">;

/** The provider of a channel; undefined where none is configured. */
export function providerFor(deps: ProviderDeps, _channel: OutgoingMessage["channel"]): MessageProvider | undefined {
  return deps.config.isDevelopment ? localOutboxProvider(deps) : undefined;
}

/** Whether a code can leave for this kind of identifier; asked before one is promised. */
export function canDeliver(deps: ProviderDeps, kind: "email" | "phone"): boolean {
  return providerFor(deps, kind === "phone" ? "sms" : "email") !== undefined;
}
