import fc from "fast-check";
import { vi } from "vitest";
import { parameters, setting } from "../fuzz/setting.ts";
import { stopClock } from "../support/clock.ts";

/** A step that runs against the model and the Worker and compares the two. */
export type Command<Model extends object, Real> = fc.AsyncCommand<Model, Real>;

/** When the next model run begins: on a day that no other test uses. */
let beginning = Date.UTC(2075, 0, 1, 9);

/** Builds a command from functions. */
export function command<Model extends object, Real>(
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
  check: (model: Readonly<Model>) => boolean = () => true,
): Command<Model, Real> {
  return { check, run, toString: () => name };
}

/** A command that runs steps in sequence, which random lists rarely contain; it skips steps that are not possible. */
export const inTurn = <Model extends object, Real>(...steps: Command<Model, Real>[]) =>
  command<Model, Real>(steps.join(", then "), async (model, real) => {
    for (const step of steps) if (step.check(model)) await step.run(model, real);
  });

/** A command that moves the clock forward. */
export const wait = <Model extends object, Real>(milliseconds: number) =>
  command<Model, Real>(`wait ${milliseconds / 1000} s`, async () => void vi.setSystemTime(Date.now() + milliseconds));

/**
 * Runs random lists of commands against the Worker and the model on a stopped clock, then `finish`.
 *
 * @param options `share`: factor on the configured number of runs; `steps`: maximum number of commands per run.
 */
export async function checkModel<Model extends object, Real>(
  commands: fc.Arbitrary<Command<Model, Real>>[],
  setup: () => Promise<{ model: Model; real: Real; finish?: () => Promise<void> }>,
  { share = 1, steps = 30 } = {},
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: steps, size: "max" }), async (list) => {
      beginning += 200 * 86_400_000;
      stopClock({ at: beginning });
      try {
        const prepared = await setup();
        await fc.asyncModelRun(() => prepared, list);
        await prepared.finish?.();
      } finally {
        vi.useRealTimers();
      }
    }),
    parameters(setting.modelRuns * share),
  );
}
