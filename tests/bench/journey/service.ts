import { cpuWhenIdle, treeCpuMs } from "../idle.ts";
import type { Server } from "../server-process.ts";

// A journey is what a person does in several calls, for example a sign-in. A service is measured step by step: all
// people make their first call, the server becomes idle, then all make their second call, and so on.

/** A person, with what a step needs of the steps before it. */
export interface Traveller {
  identifier: string;
  /** An address in a network of their own. */
  ip: string;
  code?: string;
  verificationToken?: string;
  accessToken?: string;
  refreshToken?: string;
  cookie?: string;
}

export interface Step {
  /** Name of the route in the results. */
  name: string;
  /** POST unless it is GET, which has no body. */
  method?: "GET";
  /** Path and JSON body of the call. */
  path: string;
  body(person: Traveller): object;
  headers?(person: Traveller): Record<string, string>;
  /** Stores what later steps need of the answer. */
  keep?(person: Traveller, data: Record<string, unknown>, response: Response): void;
  /** The person must have received a code before. */
  needsCode?: boolean;
}

export interface Service {
  server: Server;
  /** The newest codes sent, by recipient. */
  codes(): Map<string, string>;
}

/** Concurrent connections. */
export const CONNECTIONS = 16;
/** How long a call may take before the run ends with an error. */
const TIMEOUT_MS = 60_000;

/** Makes the call of a step. @throws Error unless the answer is a success. */
async function call({ server }: Service, step: Step, person: Traveller): Promise<void> {
  const response = await fetch(server.url + step.path, {
    method: step.method ?? "POST",
    headers: {
      "Content-Type": "application/json",
      "User-Agent": "users-api-bench",
      "CF-Connecting-IP": person.ip,
      ...step.headers?.(person),
    },
    ...(step.method ? {} : { body: JSON.stringify(step.body(person)) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${step.name}: ${response.status} ${text}`);
  const answer = text === "" ? {} : JSON.parse(text);
  step.keep?.(person, answer?.data ?? answer ?? {}, response);
}

/** Calls `work` for each item, at most `CONNECTIONS` at once. */
export async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (const item of waiting) await work(item);
    }),
  );
}

/**
 * Lets all people make a journey, and returns the CPU time of each step in milliseconds per person, with all work
 * that follows the calls. The server must be idle before, and is idle afterwards.
 */
export async function travel(
  service: Service,
  steps: readonly Step[],
  people: readonly Traveller[],
): Promise<number[]> {
  const cpuMs: number[] = [];
  for (const step of steps) {
    if (step.needsCode) handOutCodes(service, people);
    const before = treeCpuMs(service.server);
    await forEach(people, (person) => call(service, step, person));
    cpuMs.push(((await cpuWhenIdle(service.server)) - before) / people.length);
  }
  return cpuMs;
}

function handOutCodes(service: Service, people: readonly Traveller[]): void {
  const codes = service.codes();
  for (const person of people) {
    const code = codes.get(person.identifier);
    if (code === undefined) throw new Error(`no code for ${person.identifier} arrived before the server was idle`);
    person.code = code;
  }
}
