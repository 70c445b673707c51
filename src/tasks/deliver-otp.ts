import { z } from "zod";
import { CODE_DUE, CODE_RETRY_SECONDS, deliverCode } from "../delivery/deliver-code.ts";
import type { Task, TaskOutcome } from "./engine/task.ts";

const payloadSchema = z.object({ cid: z.string(), to: z.string(), created_at: z.number(), expires_at: z.number() });

/**
 * Sends a one-time code that its request could not send at once, unless the code has expired, was consumed, or belongs
 * to a store reviewer's test account.
 */
export const deliverOtp: Task = {
  name: "deliver_otp",
  types: [CODE_DUE],
  isUrgent: true,
  home: ({ payload }) => ({ identifier: payloadSchema.parse(payload).to }),
  async run(deps, event): Promise<TaskOutcome> {
    const { cid, to, created_at: createdAt, expires_at: expiresAt } = payloadSchema.parse(event.payload);
    if (expiresAt <= deps.now()) return { done: true, note: "expired" };
    const { isDone, note } = await deliverCode(deps, { cid, to, createdAt, expiresAt });
    return isDone ? { done: true, note } : { done: false, retryInSeconds: CODE_RETRY_SECONDS, note };
  },
};
