import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** What the network does to a call, and how often in a thousand. */
const FATES = {
  loseRequest: 40,
  loseAnswer: 90,
  cutAnswer: 30,
  duplicate: 90,
  delay: 100,
  stall: 4,
  unavailable: 40,
  badGateway: 20,
  portal: 20,
} as const;

type Fate = keyof typeof FATES | "pass";

export interface HostileProxy {
  url: string;
  /** How often each fate was met. */
  met: Record<string, number>;
  /** Access tokens that have expired. A client's `POST /expire` with a token as its body lets that one expire. */
  expired: Set<string>;
  /** From now on every call passes. */
  calm(): void;
  /** Answers this path by itself. */
  serve(path: string, type: string, body: string): void;
  stop(): Promise<void>;
}

/** A repeatable source of numbers below 1 (Mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/**
 * A bad network in front of a server. Beside losing, doubling and delaying calls it lets access tokens expire: it damages
 * them, so that the server itself refuses them.
 */
export async function startHostileProxy(target: string, seed = 1): Promise<HostileProxy> {
  const next = numbers(seed);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const met: Record<string, number> = {};
  const expired = new Set<string>();
  const pages = new Map<string, { type: string; body: string }>();
  /** Doubled calls of each session that have not arrived yet. */
  const late = new Map<string, Promise<unknown>>();
  let isCalm = false;

  function draw(): Fate {
    let left = isCalm ? 1000 : next() * 1000;
    for (const [fate, share] of Object.entries(FATES)) {
      left -= share;
      if (left < 0) return fate as Fate;
    }
    return "pass";
  }

  function forward(call: IncomingMessage, body: Buffer, authorization: string | undefined): Promise<Reply> {
    const { host: _, connection: __, ...headers } = call.headers;
    const sent = { ...headers, ...(authorization ? { authorization } : {}), "content-length": String(body.length) };
    return new Promise((resolve, reject) => {
      const out = httpRequest(target + call.url, { method: call.method, headers: sent, agent }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk) => chunks.push(chunk)).once("error", reject);
        answer.once("end", () =>
          resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: Buffer.concat(chunks) }),
        );
      });
      out.once("error", reject);
      out.end(body);
    });
  }

  const age = (authorization: string | undefined) =>
    expired.has(authorization?.slice("Bearer ".length) ?? "") ? `${authorization?.slice(0, -6)}AAAAAA` : authorization;

  async function handle(call: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of call) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const page = pages.get(call.url ?? "");
    if (page) return void response.setHeader("content-type", page.type).end(page.body);
    if (call.url === "/expire") return void response.end(String(expired.add(body.toString()).size));
    const fate = draw();
    met[fate] = (met[fate] ?? 0) + 1;
    if (fate === "loseRequest") return void response.destroy();
    if (fate === "unavailable") return refuse(response, 503, { "retry-after": "1" });
    if (fate === "badGateway") return void response.writeHead(502, { "content-type": "text/html" }).end("<h1>502</h1>");
    if (fate === "portal") return void response.writeHead(200, { "content-type": "text/html" }).end("<h1>Wi-Fi</h1>");
    const session = call.url?.endsWith("/auth/refresh") ? sessionOf(body) : undefined;
    // A doubled call may be late, but not later than the next refresh of its session, which is 15 minutes away.
    if (session) await late.get(session);
    if (fate === "delay") await sleep(next() * 150);
    const authorization = age(call.headers.authorization);
    let reply: Reply;
    if (fate === "duplicate") {
      const second = sleep(next() * 60).then(() => forward(call, body, authorization));
      if (session)
        late.set(
          session,
          second.catch(() => {}),
        );
      const [first, other] = await Promise.all([forward(call, body, authorization), second]);
      // A client that repeats meets the second answer.
      reply = next() < 0.5 || other.status >= 400 ? first : other;
    } else reply = await forward(call, body, authorization);
    if (fate === "loseAnswer") return void response.destroy();
    if (fate === "stall") return;
    const { "transfer-encoding": _, connection: __, ...headers } = reply.headers;
    response.writeHead(reply.status, { ...headers, "content-length": String(reply.body.length) });
    if (fate !== "cutAnswer") return void response.end(reply.body);
    response.write(reply.body.subarray(0, Math.floor(reply.body.length / 2)), () => response.destroy());
  }

  const server = createServer((call, response) => {
    handle(call, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    met,
    expired,
    calm() {
      isCalm = true;
    },
    serve: (path, type, body) => pages.set(path, { type, body }),
    async stop() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function refuse(response: ServerResponse, status: number, headers: Record<string, string>): void {
  const error = { code: "service_unavailable", message: "The service is temporarily unavailable." };
  response.writeHead(status, { ...headers, "content-type": "application/json" });
  response.end(JSON.stringify({ success: false, error, request_id: "proxy" }));
}

/** The session whose refresh token a body holds. */
function sessionOf(body: Buffer): string | undefined {
  const [, payload] = /"refresh_token":"[^".]*\.([^".]*)\./.exec(body.toString()) ?? [];
  return payload && (JSON.parse(Buffer.from(payload, "base64url").toString()) as { sid: string }).sid;
}
