import { z } from "zod";
import { optionalFlag, optionalText, optionalVersion, text, withoutControls } from "../../platform/http/fields.ts";
import { isoTime } from "../../platform/time.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { registerDevice } from "./device.service.ts";

const atMost = (length: number) => withoutControls(z.string().max(length));

const deviceType = z.enum(["ANDROID", "IOS", "WEB"]).meta({ id: "DeviceType" });

/** A device as its user sees it. */
const deviceView = z
  .object({
    id: z.string(),
    device_id: z.string(),
    fcm_token: z.string().nullable(),
    device_type: deviceType,
    device_name: z.string().nullable(),
    app_version: z.string().nullable(),
    os_version: z.string().nullable(),
    is_active: z.boolean(),
    last_used: z.iso.datetime(),
  })
  .meta({ id: "Device" });

/** FCM documents no maximum; its tokens are far shorter than this. */
const MAX_TOKEN_LENGTH = 4096;

export const registerMyDevice = userEndpoint(
  {
    method: "post",
    path: "/auth/device",
    operationId: "registerDevice",
    tag: "Devices",
    summary: "Register this device for push notifications",
    description:
      "Creates or updates the device and ties it to this session. A push token belongs to one device: it is removed " +
      "from any other device that has it. Fields that are not sent keep their values.",
    example: {
      device_id: "b3e1c2d4-phone",
      fcm_token: "dGhpcyBpcyBhIHB1c2ggdG9rZW4",
      device_type: "ANDROID",
      device_name: "Galaxy A15",
      app_version: "2.4.0",
      os_version: "15",
      is_active: true,
    },
    body: z.object({
      device_id: text(atMost(255).min(1)).meta({ description: "The app's own id of this installation." }),
      fcm_token: text(atMost(MAX_TOKEN_LENGTH).min(10)),
      device_type: text(deviceType, (type) => type.toUpperCase()),
      device_name: optionalText(atMost(255)),
      app_version: optionalVersion(atMost(50)),
      os_version: optionalVersion(atMost(50)),
      is_active: optionalFlag.meta({ description: "Whether pushes are wanted; true at first." }),
    }),
    data: deviceView,
    message: { en: "Device registered.", ne: "यन्त्र दर्ता भयो।" },
  },
  async (deps, { body, caller, client }) => {
    const row = await registerDevice(deps, client, caller, {
      deviceId: body.device_id,
      fcmToken: body.fcm_token,
      deviceType: body.device_type,
      deviceName: body.device_name ?? null,
      appVersion: body.app_version ?? null,
      osVersion: body.os_version ?? null,
      isActive: body.is_active ?? null,
    });
    return {
      data: {
        id: row.id,
        device_id: row.deviceId,
        fcm_token: row.fcmToken,
        device_type: row.deviceType,
        device_name: row.deviceName,
        app_version: row.appVersion,
        os_version: row.osVersion,
        is_active: row.isActive,
        last_used: isoTime(row.lastUsedAt),
      },
    };
  },
);
