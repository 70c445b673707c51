import { sql } from "drizzle-orm";
import { z } from "zod";
import { notices } from "../delivery/notices.ts";
import type { Task } from "./engine/task.ts";
import { notifyUser } from "./notify.ts";

const NAME = "notify_kyc_status";

const payloadSchema = z.object({ status: z.enum(["APPROVED", "REJECTED"]), kyc_id: z.string() });

/**
 * Notifies a user of the decision about their documents, unless they have submitted new ones or the decision has
 * changed.
 */
export const notifyKycStatus: Task = {
  name: NAME,
  types: ["kyc.decided"],
  run(deps, event) {
    const { status, kyc_id } = payloadSchema.parse(event.payload);
    const kind = `KYC_${status}` as const;
    return notifyUser(deps, NAME, event, {
      kind,
      texts: notices[kind],
      data: { kyc_id, status },
      withPush: true,
      onlyWhere: sql`exists (select 1 from kyc where kyc.user_id = users.id and kyc.status = ${status})`,
    });
  },
};
