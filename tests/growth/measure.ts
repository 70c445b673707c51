import type { Flow, Run } from "../faults/flow-table.ts";
import { newSimulation } from "../faults/settle.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import type { Request } from "./case.ts";

/** The binding calls of one invocation. */
export interface Cost {
  /** Round trips to the primary database. */
  d1: number;
  /** Those of them that happened before the response. */
  d1BeforeAnswer: number;
  search: number;
  kv: number;
  r2: number;
  queue: number;
  rowsRead: number;
  rowsWritten: number;
}

/** One measurement and its outcome. */
export interface Measured {
  name: string;
  /** `METHOD /path status code` of a request, the type of a message, or the name of a job. */
  outcome: string;
  cost: Cost;
}

export function costOf(calls: readonly BindingCall[]): Cost {
  const trips = (binding: BindingCall["binding"]) => calls.filter((call) => call.binding === binding).length;
  const sum = (pick: (call: BindingCall) => number) => calls.reduce((total, call) => total + pick(call), 0);
  return {
    d1: trips("D1"),
    d1BeforeAnswer: calls.filter((call) => call.binding === "D1" && call.beforeResponse).length,
    search: trips("SEARCH_DB"),
    kv: trips("KV"),
    r2: trips("R2"),
    queue: trips("QUEUE"),
    rowsRead: sum(({ rowsRead }) => rowsRead),
    rowsWritten: sum(({ rowsWritten }) => rowsWritten),
  };
}

/** Finds the operation of the document for a path. */
export type OperationOf = (method: string, path: string) => string;

/** Sends the request alone, with a fault at each binding call if one is given, and counts the calls. */
export async function measureRequest(
  name: string,
  { method, path, options = {} }: Request,
  env: Partial<Env>,
  operationOf: OperationOf,
  { handler, fault }: { handler?: Run["handler"]; fault?: Fault } = {},
): Promise<Measured> {
  const simulation = newSimulation(handler);
  // The production configuration has no simulated providers.
  const isProduction = options.env?.ENVIRONMENT !== undefined;
  const all = { ...options, env: { ...(isProduction ? {} : env), ...options.env } };
  const answer = await simulation.call(method, path, all, fault ? { faults: () => fault } : {});
  if (answer === "died") throw new Error(`${name}: the call died`);
  const code = answer.body?.error?.code ?? answer.body?.error ?? "";
  const outcome = `${operationOf(method, path)} ${answer.status} ${typeof code === "string" ? code : ""}`.trim();
  return { name, outcome, cost: costOf(simulation.log) };
}

/** Runs a flow once without a fault. */
export async function measureFlow(flow: Flow, operationOf: OperationOf): Promise<Measured[]> {
  const { env = {}, prepare } = await flow.open();
  const run = await prepare();
  if (run.request) {
    const measured = await measureRequest(
      flow.name,
      run.request,
      env,
      operationOf,
      run.handler ? { handler: run.handler } : {},
    );
    return [measured, ...(await repeatWithAnother(flow, run, env, operationOf))];
  }
  const simulation = newSimulation(run.handler);
  if (run.messages) {
    for (const [queue, group] of Map.groupBy(run.messages, (message) => message.queue)) {
      await simulation.hand(
        queue,
        group.map(({ body, attempts = 1 }, i) => ({ id: `${queue}-${i}`, body, attempts })),
        { env },
      );
    }
  } else await run.work?.(simulation, { env });
  const types = new Set((run.messages ?? []).map(({ queue, body }) => `${queue} ${(body as { type?: string }).type}`));
  return [{ name: flow.name, outcome: [...types].join(", ") || flow.name, cost: costOf(simulation.log) }];
}

/** The key of a completed call, with another body. */
async function repeatWithAnother(
  flow: Flow,
  { request }: Run,
  env: Partial<Env>,
  operationOf: OperationOf,
): Promise<Measured[]> {
  if (!request || !flow.name.endsWith("with a key")) return [];
  const { options } = request;
  const other = options.json
    ? { json: anotherBody(options.json as Record<string, unknown>) }
    : { multipart: { ...options.multipart, document_number: "NP-ANOTHER-1" } };
  return [
    await measureRequest(
      `${flow.name}, and another body`,
      { ...request, options: { ...options, ...other } },
      env,
      operationOf,
    ),
  ];
}

/** Changes a field that does not determine the owner of the call. */
function anotherBody(body: Record<string, unknown>): Record<string, unknown> {
  if (body.otp !== undefined) return { ...body, otp: body.otp === "111111" ? "222222" : "111111" };
  if (body.referral_code !== undefined) return { ...body, referral_code: "REFOTHER0" };
  return { ...body, verification_token: "another" };
}
