import { countsOf, recordProblem, UnexpectedAnswer, type World } from "./world.ts";

export interface Call {
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  path: string;
  /** Expected statuses: a number, or a number with the required error code. */
  expect: (number | `${number} ${string}`)[];
  ip: string;
  token?: string | undefined;
  json?: object;
  form?: FormData;
  /** `Idempotency-Key`. */
  key?: string | undefined;
}

export interface Answer {
  status: number;
  code: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape.
  data: any;
  headers: Headers;
}

/** Share of responses that are lost on the way to the client. */
const LOSS = 0.06;
/** Longer than any deadline of the server. */
const TIMEOUT_MS = 30_000;

/** Makes a call at the requested rate. An unexpected response ends the caller's script. */
export async function call(world: World, what: Call): Promise<Answer> {
  await world.slot();
  const answer = await send(world, what);
  if (!answer) throw new UnexpectedAnswer(`${routeOf(what)}: no answer`);
  return answer;
}

/**
 * As `call`, for a client on a bad network: sometimes the response is discarded or the connection aborted, and the call
 * is repeated until a response arrives. `after` are the statuses expected of the repetition.
 */
export async function callUntilHeard(
  world: World,
  what: Call,
  after = what.expect,
): Promise<Answer & { wasLost: boolean }> {
  let wasLost = false;
  while (world.chance(LOSS)) {
    await world.slot();
    const isBroken = world.chance(0.5);
    world.journal[isBroken ? "brokenConnections" : "lostAnswers"] += 1;
    await send(world, wasLost ? { ...what, expect: after } : what, isBroken ? world.random() * 12 : undefined);
    wasLost = true;
  }
  return { ...(await call(world, wasLost ? { ...what, expect: after } : what)), wasLost };
}

/** @param breakOffAfterMs the client disconnects after this time and gets no response. */
async function send(world: World, what: Call, breakOffAfterMs?: number): Promise<Answer | undefined> {
  const { method, path, ip, token, json, form, key } = what;
  const signal =
    breakOffAfterMs === undefined ? AbortSignal.timeout(TIMEOUT_MS) : AbortSignal.timeout(Math.ceil(breakOffAfterMs));
  const route = routeOf(what);
  const startedAt = performance.now();
  try {
    const response = await fetch(path.startsWith("http") ? path : world.url + path, {
      method,
      headers: {
        accept: "application/json",
        // The server may close an idle connection just when it is used again.
        connection: "close",
        "cf-connecting-ip": ip,
        "user-agent": "load",
        ...(json ? { "content-type": "application/json" } : {}),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(key ? { "idempotency-key": key } : {}),
      },
      signal,
      ...(form ? { body: form } : json ? { body: JSON.stringify(json) } : {}),
    });
    const text = await response.text();
    const milliseconds = performance.now() - startedAt;
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    const body = isJson ? JSON.parse(text) : {};
    const code: string = body.error?.code ?? "";
    const { status, headers } = response;
    const isExpected = what.expect.includes(status) || what.expect.includes(`${status} ${code}`);
    countsOf(world.journal, { route, status, code, isExpected }).milliseconds.push(milliseconds);
    if (status === 429 && !headers.get("retry-after")) recordProblem(world, `${route}: 429 without Retry-After`);
    if (!isExpected) {
      const problem = `${route}: ${status} ${code} (${what.expect.join(", ")} expected) ${text.slice(0, 300)}`;
      recordProblem(world, problem);
      throw new UnexpectedAnswer(problem);
    }
    return { status, code, data: body.data ?? body, headers };
  } catch (error) {
    if (error instanceof UnexpectedAnswer) throw error;
    if (breakOffAfterMs !== undefined) return undefined;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    countsOf(world.journal, { route, status: 0, code: String(cause), isExpected: false }).milliseconds.push(0);
    recordProblem(world, `${route}: no answer: ${cause}`);
    return undefined;
  }
}

/** The call without ids and query, which is the name it is counted by. */
function routeOf({ method, path }: Call): string {
  const { pathname } = new URL(path, "http://localhost");
  return `${method} ${pathname.replace(/^\/api/, "").replace(/[0-9a-f-]{36}/g, "{id}")}`;
}
