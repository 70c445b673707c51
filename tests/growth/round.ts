import { tasks } from "../../src/tasks/engine/registry.ts";
import type { Flow } from "../faults/flow-table.ts";
import { flow } from "../faults/flow-table.ts";
import { allFlows } from "../faults/flows/all.ts";
import { message } from "../faults/flows/tasks.ts";
import type { Operation } from "../fuzz/operations.ts";
import { newIp } from "../support/client.ts";
import type { Case, Stage } from "./case.ts";
import { commonCases } from "./cases/common.ts";
import { consoleCases } from "./cases/console-cases.ts";
import { identityCases } from "./cases/identity-cases.ts";
import { passkeyCases } from "./cases/passkey-cases.ts";
import { signInCases } from "./cases/sign-in-cases.ts";
import { socialCases } from "./cases/social-cases.ts";
import { userCases } from "./cases/user-cases.ts";
import { type Measured, measureFlow, measureRequest } from "./measure.ts";
import { operationFinder } from "./outcomes.ts";

/** Required for every request. */
const UNFIT = { ISSUER: "" } as unknown as Partial<Env>;

/** The work of jobs and ticks depends on other cases, so they are measured with work of their own. */
const isMeasured = ({ name }: Flow) => !/^job |tick|out of turn|too large for its queue/.test(name);

/** Adds the name of the measurement to a failure. */
async function named<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Produces every outcome of every operation, runs every message and job once, and returns the costs. */
export async function measureAll(
  operations: readonly Operation[],
  stage: Stage,
  only = /(?:)/,
  onProgress: (measured: number) => void = () => {},
): Promise<Measured[]> {
  const operationOf = operationFinder(operations);
  const { env } = stage;
  const measured: Measured[] = [];
  const cases: Case[] = [
    ...operations.flatMap(commonCases),
    ...signInCases,
    ...identityCases,
    ...socialCases,
    ...userCases,
    ...consoleCases,
    ...passkeyCases,
  ];
  for (const { name, prepare, restore } of cases.filter((each) => only.test(each.name))) {
    measured.push(
      await named(
        name,
        prepare(stage).then((request) => measureRequest(name, request, env, operationOf)),
      ),
    );
    await restore?.(stage);
    onProgress(measured.length);
  }
  for (const operation of operations.filter((each) => only.test(each.name))) {
    const { name, method, path } = operation;
    const request = { method, path, options: { ip: newIp(), env: UNFIT } };
    measured.push(await measureRequest(`${name} without its configuration`, request, env, operationOf));
    const plain = commonCases(operation).find((each) => each.name === `${name} as it is`);
    if (!plain) continue;
    const outage = { fault: "throw-before" } as const;
    measured.push(await measureRequest(`${name} in an outage`, await plain.prepare(stage), env, operationOf, outage));
  }
  for (const flow of allFlows.filter(isMeasured).filter((each) => only.test(each.name)))
    measured.push(...(await named(flow.name, measureFlow(flow, operationOf))));

  const seen = new Set(measured.map(({ outcome }) => outcome));
  const types = tasks.flatMap((task) => task.types).filter((type) => !NOT_ALONE.includes(type));
  for (const type of types.filter((each) => ![...seen].some((outcome) => outcome.includes(` ${each}`)))) {
    if (only.test(type))
      measured.push(await measureFlow(plainMessage(type, stage), operationOf).then(([one]) => one as Measured));
  }
  return measured;
}

/** A message about the user, as of most types. */
const plainMessage = (type: string, { user }: Stage) =>
  flow(`message ${type}`, async () => ({
    scope: {},
    messages: [message(type, user.userId, { user_id: user.userId, provider: "GOOGLE" })],
  }));

/** Events from other services have separate types; a job is measured as a job. */
const NOT_ALONE = ["platform.event", "job.due"];
