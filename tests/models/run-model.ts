import fc from "fast-check";
import { vi } from "vitest";
import { parameters, setting } from "../fuzz/setting.ts";

/** A step: what the rules say comes of it, and what came of it. */
export type Command<Model extends object, Real> = fc.AsyncCommand<Model, Real>;

/** The instant at which every run of every model begins: of a day in the future that no other test lives in. */
let beginning = Date.UTC(2075, 0, 1, 9);

/** A command whose steps are written out in one place. */
export function command<Model extends object, Real>(
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
  check: (model: Readonly<Model>) => boolean = () => true,
): Command<Model, Real> {
  return { check, run, toString: () => name };
}

/** Steps that are worth taking one after the other, since chance seldom puts them so; those that cannot be taken are left out. */
export const inTurn = <Model extends object, Real>(...steps: Command<Model, Real>[]) =>
  command<Model, Real>(steps.join(", then "), async (model, real) => {
    for (const step of steps) if (step.check(model)) await step.run(model, real);
  });

/** A command that lets virtual time pass. */
export const wait = <Model extends object, Real>(milliseconds: number) =>
  command<Model, Real>(`wait ${milliseconds / 1000} s`, async () => void vi.setSystemTime(Date.now() + milliseconds));

/**
 * Runs random lists of commands against the Worker and against the rules, on a stopped clock, and then what must hold at
 * the end. `share`: runs of this model for each of the setting's.
 */
export async function checkModel<Model extends object, Real>(
  commands: fc.Arbitrary<Command<Model, Real>>[],
  setup: () => Promise<{ model: Model; real: Real; finish?: () => Promise<void> }>,
  { share = 1, steps = 30 } = {},
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: steps, size: "max" }), async (list) => {
      beginning += 200 * 86_400_000;
      vi.useFakeTimers({ toFake: ["Date"], now: beginning });
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
