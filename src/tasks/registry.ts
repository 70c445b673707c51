import { deliverOtp } from "./deliver-otp.ts";
import { runJob } from "./run-job.ts";
import type { Task } from "./task.ts";

/** Every task, by the type of the event that asks for it. */
export const tasks: ReadonlyMap<string, Task> = new Map([deliverOtp, runJob].map((task) => [task.type, task]));
