import { cpuSeconds } from "../cpu.ts";
import { ROWS_HEADER } from "../observed.ts";
import type { Server } from "../server-process.ts";
import type { StaffCase } from "./cases.ts";

/** The measurements of a case at one number of users. */
export interface Measured {
  /** Number of users in the response; undefined if it is not a list of users. */
  results: number | undefined;
  /** One list per round trip, as in the header. */
  trips: string;
  rows: number;
  /** CPU milliseconds of the server per request, one number per turn. */
  cpu: number[];
}

/** Sends the `i`-th request of a case. */
export async function send(server: Pick<Server, "url">, token: string, { name, request }: StaffCase, i: number) {
  const { method, path, json } = request(i);
  const response = await fetch(server.url + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(json ? { "Content-Type": "application/json" } : {}) },
    ...(json ? { body: JSON.stringify(json) } : {}),
  });
  const body = (await response.json()) as { data?: { results?: unknown[] } };
  if (response.status !== 200) throw new Error(`${name}: ${response.status} ${JSON.stringify(body)}`);
  return { results: body.data?.results?.length, trips: response.headers.get(ROWS_HEADER) ?? "" };
}

/** Counts the rows that one request of a case reads, on a server that reports them. */
export async function countRows(server: Server, token: string, one: StaffCase): Promise<Measured> {
  const { results, trips } = await send(server, token, one, 0);
  const rows = (trips.match(/\d+/g) ?? []).reduce((sum, count) => sum + Number(count), 0);
  return { results, trips, rows, cpu: [] };
}

/** CPU milliseconds per request of the case, over `count` requests starting with the `from`-th. */
export async function measureCpu(server: Server, token: string, one: StaffCase, from: number, count: number) {
  const before = cpuSeconds(server.pid);
  for (let i = from; i < from + count; i++) await send(server, token, one, i);
  return ((cpuSeconds(server.pid) - before) * 1000) / count;
}

/** Waits until the server is idle, because queue work after a change is not part of its request. */
export async function quiesce({ pid }: Server): Promise<void> {
  for (let quiet = 0, last = cpuSeconds(pid); quiet < 4; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = cpuSeconds(pid);
    quiet = now - last <= 0.02 ? quiet + 1 : 0;
    last = now;
  }
}
