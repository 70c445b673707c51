import type { Task } from "./consume.ts";
import { deliverOtp } from "./deliver-otp.ts";

/** Every task, by the type of the event that asks for it. */
export const tasks: ReadonlyMap<string, Task> = new Map([deliverOtp].map((task) => [task.type, task]));
