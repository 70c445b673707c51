import type { Invocation, Scheduler } from "./scheduler.ts";

const OPERATIONS = ["head", "get", "put", "delete", "list"] as const;

/** R2 whose calls pass the gate; it is strongly consistent, so there is no staleness to model. */
export function r2For(scheduler: Scheduler, invocation: Invocation, real: R2Bucket): R2Bucket {
  const binding = Object.fromEntries(
    OPERATIONS.map((operation) => [
      operation,
      (...args: unknown[]) =>
        scheduler.pass(invocation, { binding: "R2", operation, detail: [String(args[0] ?? "")] }, () =>
          (real[operation] as (...given: unknown[]) => Promise<unknown>).apply(real, args),
        ),
    ]),
  );
  return binding as unknown as R2Bucket;
}
