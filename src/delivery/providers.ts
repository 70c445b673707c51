import type { Deps } from "../platform/deps.ts";
import { emailProvider } from "./email.ts";
import { fcmProvider } from "./fcm.ts";
import { httpSmsProvider } from "./http-sms.ts";
import { localOutboxProvider } from "./local-outbox.store.ts";
import type { MessageProvider, OutgoingMessage } from "./message-provider.ts";
import { sparrowProvider } from "./sparrow.ts";

export type ProviderDeps = Pick<Deps, "config" | "db" | "now" | "log" | "fetch" | "email" | "keyring">;

/**
 * Lists the providers that support the address, in the order in which they are called; empty if the channel is not
 * configured.
 */
export function listProviders(deps: ProviderDeps, channel: OutgoingMessage["channel"], to: string): MessageProvider[] {
  if (deps.config.isDevelopment) return [localOutboxProvider(deps)];
  return configuredProviders(deps, channel).filter((provider) => provider.reaches(to));
}

function configuredProviders(deps: ProviderDeps, channel: OutgoingMessage["channel"]): MessageProvider[] {
  const { sparrow, smsFallback, email, fcm } = deps.config.providers;
  switch (channel) {
    case "sms":
      return [
        ...(sparrow ? [sparrowProvider(deps, sparrow)] : []),
        ...(smsFallback ? [httpSmsProvider(deps, smsFallback)] : []),
      ];
    case "email":
      return email && deps.email ? [emailProvider(deps, deps.email, email)] : [];
    case "push":
      return fcm ? [fcmProvider(deps, fcm)] : [];
  }
}

/** Whether a code can be sent to this identifier. Checked before a code is promised. */
export function canDeliver(deps: ProviderDeps, identifier: { kind: "email" | "phone"; value: string }): boolean {
  return listProviders(deps, identifier.kind === "phone" ? "sms" : "email", identifier.value).length > 0;
}
