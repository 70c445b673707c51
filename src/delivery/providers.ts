import type { Deps } from "../platform/deps.ts";
import { localOutboxProvider } from "./local-outbox.ts";

export interface OutgoingMessage {
  /** The event's id; a provider that knows idempotency keys gets it as one. */
  id: string;
  channel: "sms" | "email" | "push";
  /** E.164 number, e-mail address or push token. */
  to: string;
  text: string;
  /** The one-time code in the text, where there is one. */
  code?: string;
}

/** Takes a message towards a person. Throws when it did not, or when nobody can know. */
export interface MessageProvider {
  name: string;
  send(message: OutgoingMessage): Promise<void>;
}

type ProviderDeps = Pick<Deps, "config" | "db" | "now" | "log">;

/** The provider of a channel; undefined where none is configured. */
export function providerFor(deps: ProviderDeps, _channel: OutgoingMessage["channel"]): MessageProvider | undefined {
  return deps.config.isDevelopment ? localOutboxProvider(deps) : undefined;
}

/** Whether a code can leave for this kind of identifier; asked before one is promised. */
export function canDeliver(deps: ProviderDeps, kind: "email" | "phone"): boolean {
  return providerFor(deps, kind === "phone" ? "sms" : "email") !== undefined;
}
