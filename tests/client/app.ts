import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import {
  createUsersClient,
  memoryStorage,
  type Options,
  type SignedOutReason,
  type TokenStorage,
} from "../../client/src/index.ts";
import worker from "../../src/index.ts";
import { buildRequest, checkLimitHeaders, newIp, newPhone, readCode, testEnv } from "../support/client.ts";

/** One request that left the client. */
export interface Sent {
  name: string;
  headers: Headers;
}

/** What the network does to a request: an answer of its own, losing the request, or losing the answer. */
export type Fault = Response | "lose request" | "lose answer" | undefined;

/** An app that uses the client on the Worker itself, with bindings of `env`, on a network that a test can disturb. */
export function startApp(options: Partial<Options> = {}, env: Partial<Env> = {}) {
  const sent: Sent[] = [];
  const signedOut: SignedOutReason[] = [];
  const ip = newIp();
  let fault: (name: string) => Fault | Promise<Fault> = () => undefined;
  const { storage = memoryStorage() } = options;

  async function fetchFromWorker(url: string, init: RequestInit): Promise<Response> {
    const { pathname, search } = new URL(url);
    const name = `${init.method} ${pathname.replace("/api", "")}`;
    sent.push({ name, headers: new Headers(init.headers) });
    const met = await fault(name);
    if (met instanceof Response) return met;
    if (met === "lose request") throw new TypeError("connection lost");
    const headers = Object.fromEntries(new Headers(init.headers));
    const raw = init.body ? { raw: init.body } : {};
    const request = buildRequest(init.method ?? "GET", pathname + search, { headers, ip, ...raw });
    const context = createExecutionContext();
    const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], { ...testEnv, ...env }, context);
    const text = await response.text();
    await waitOnExecutionContext(context);
    checkLimitHeaders(response);
    if (met === "lose answer") throw new TypeError("connection lost");
    return new Response(text, response);
  }

  const create = (more: Partial<Options> = {}) =>
    createUsersClient({
      baseUrl: "http://localhost",
      storage,
      retryDelay: 1,
      fetch: fetchFromWorker as never,
      onSignedOut: (reason) => signedOut.push(reason),
      ...options,
      ...more,
    });
  const client = create();
  const identifier = newPhone();

  return {
    client,
    identifier,
    sent,
    signedOut,
    storage: storage as TokenStorage,
    /** Another tab of the same app. */
    create,
    /** The names of the requests since the last call of this. */
    names: () => sent.splice(0).map(({ name }) => name),
    /** From now on the network does this. */
    disturb(next: (name: string) => Fault | Promise<Fault>) {
      fault = next;
    },
    /** Does this to the first request of that name, and nothing to others. */
    disturbOnce(name: string, ...faults: Fault[]) {
      fault = (other) => (other === name ? faults.shift() : undefined);
    },
    tokens: async () => JSON.parse(String((await storage.get("powerbank")) ?? "null")),
    async signUp() {
      await client.auth.requestCode(identifier);
      const answer = await client.auth.signIn(identifier, await readCode(identifier));
      sent.length = 0;
      return answer;
    },
  };
}
