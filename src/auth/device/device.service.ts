import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { beyondLimit } from "../../platform/http/rate-limit.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { type Device, type DeviceRow, registrationLimit, upsertDevice } from "./device.store.ts";

/**
 * Registers the caller's device for push notifications.
 *
 * @throws AppError `token_not_valid` when the session has ended, `rate_limit_exceeded` after 30 registrations per hour.
 */
export async function registerDevice(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  device: Device,
): Promise<DeviceRow> {
  const outcome = await upsertDevice(deps, client, caller, device);
  const { window } = outcome;
  if (!window) throw sessionEnded();
  if (!outcome.device) {
    const waitSeconds = Math.ceil((window.windowEndsAt - deps.now()) / 1000);
    throw beyondLimit("device-registrations", registrationLimit, waitSeconds, "registrations of one user in an hour");
  }
  deps.afterResponse(publishCoalesced(deps, outcome.events));
  return outcome.device;
}
