import type { Client } from "../platform/client.ts";
import type { Deps } from "../platform/deps.ts";
import { relayTogether } from "../platform/relay.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { type Device, type DeviceRow, upsertDevice } from "./device.store.ts";

/** Registers the caller's device for push. @throws AppError `token_not_valid` when the session has ended. */
export async function registerDevice(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  device: Device,
): Promise<DeviceRow> {
  const outcome = await upsertDevice(deps, client, caller, device);
  if (!outcome.device) throw sessionEnded();
  deps.afterResponse(relayTogether(deps, outcome.events));
  return outcome.device;
}
