import { type SentStatement, STATEMENTS_HEADER } from "../observed.ts";
import type { Server } from "../server-process.ts";
import { type HotRoute, hotRequest, type Person } from "./requests.ts";

/** The statements of each route, which are the same for all requests. */
export interface CapturedRoutes {
  texts: Record<HotRoute, string[]>;
  /** Parameters of `me`; `$user`, `$session` and `$now` stand for values of the request. */
  meParams: unknown[];
}

/** The parameters of each request, by route. */
export type CapturedParams = Record<HotRoute, unknown[][][]>;

/** Sends all requests to the real Worker and records its database statements. */
export async function capture(server: Server, people: readonly Person[], measured: readonly HotRoute[]) {
  const texts = {} as CapturedRoutes["texts"];
  const params = {} as CapturedParams;
  for (const route of measured) {
    params[route] = [];
    for (const [i, person] of people.entries()) {
      const sent = await statementsOf(server, route, person, i);
      const own = sent.map(({ sql }) => sql);
      texts[route] ??= own;
      if (own.join(";") !== texts[route].join(";")) throw new Error(`${route} sends other statements the ${i}-th time`);
      params[route].push(sent.map((each) => each.params));
    }
  }
  const [first] = people;
  const meParams = (params.me?.[0]?.[0] ?? []).map((value) => {
    if (value === first?.userId) return "$user";
    if (value === first?.sessionId) return "$session";
    return typeof value === "number" && value > 1e12 ? "$now" : value;
  });
  return { routes: { texts, meParams } satisfies CapturedRoutes, params };
}

async function statementsOf({ url }: Server, route: HotRoute, person: Person, i: number): Promise<SentStatement[]> {
  const { path, init } = hotRequest(route, person, i);
  const response = await fetch(url + path, {
    ...init,
    signal: AbortSignal.timeout(20_000),
    headers: { ...init.headers, [STATEMENTS_HEADER]: "1" },
  });
  const body: unknown = await response.json();
  if (!response.ok) throw new Error(`${route}: ${response.status} ${JSON.stringify(body)}`);
  return body as SentStatement[];
}
