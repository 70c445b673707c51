import { deliverOtp } from "./deliver-otp.ts";
import { runDueJob } from "./run-due-job.ts";
import type { Task } from "./task.ts";

/** Every task. */
export const tasks: readonly Task[] = [deliverOtp, runDueJob];

const byType: ReadonlyMap<string, Task> = new Map(tasks.flatMap((task) => task.types.map((type) => [type, task])));

/** The task that events of the type ask for. */
export function findTask(type: string): Task | undefined {
  return byType.get(type);
}
