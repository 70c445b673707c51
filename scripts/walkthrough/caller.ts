import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

type Json = { data?: Record<string, unknown>; error?: { code: string }; messages?: { code: string }[] };

/** A response, and its body if it is JSON of the API's form. */
export interface Answer {
  status: number;
  json: Json;
}

/** What a client app and the other services send to a server. */
export type Caller = ReturnType<typeof newCaller>;

/** Calls the server at this address. */
export function newCaller(base: string) {
  /** The Worker that stands for the platform's other services, on the next port. */
  const otherServices = `http://localhost:${Number(new URL(base).port) + 1}`;

  async function call(method: string, path: string, body?: object, accessToken?: string) {
    const isForm = body instanceof FormData;
    const response = await fetch(base + path, {
      method,
      headers: {
        accept: "application/json",
        ...(body && !isForm ? { "content-type": "application/json" } : {}),
        ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}),
      },
      ...(body ? { body: isForm ? body : JSON.stringify(body) } : {}),
    });
    return { status: response.status, json: (await response.json()) as Json };
  }

  async function readCode(identifier: string): Promise<string> {
    for (let i = 0; i < 50; i++) {
      const { json } = await call("GET", `/dev/outbox?to=${encodeURIComponent(identifier)}`);
      const code = json.messages?.[0]?.code;
      if (code) return code;
      await sleep(100);
    }
    throw new Error(`The outbox has no code for ${identifier} after 5 seconds.`);
  }

  /** Sends the event as another service: by RPC through `/events`, or by the queue through `/queue`. */
  async function send(path: "/events" | "/queue", userId: unknown, type: string, data: object, id: string) {
    const event = { id, type, source: "rentals", user_id: userId, occurred_at: new Date().toISOString(), data };
    const response = await fetch(otherServices + path, { method: "POST", body: JSON.stringify(event) });
    return { status: response.status, json: { data: (await response.json()) as Record<string, unknown> } };
  }

  /** Polls the wallet until it has this balance. */
  async function waitForBalance(balance: string, accessToken: string): Promise<Answer> {
    for (let i = 0; i < 100; i++) {
      const answer = await call("GET", "/api/users/wallet", undefined, accessToken);
      if (answer.json.data?.balance === balance) return answer;
      await sleep(100);
    }
    throw new Error(`The balance is not ${balance} after 10 seconds.`);
  }

  return { base, call, readCode, send, waitForBalance };
}

/** Prints the step and returns the data of its response; ends the process with 1 if it is not the expected one. */
export function step(title: string, answer: Answer, expected: number, code?: string): Record<string, unknown> {
  const isRight = answer.status === expected && (code === undefined || answer.json.error?.code === code);
  console.log(
    `${isRight ? "✓" : "✗"} ${title} → ${answer.status}${answer.json.error ? ` ${answer.json.error.code}` : ""}`,
  );
  if (isRight) return answer.json.data ?? {};
  console.error(JSON.stringify(answer.json, null, 2));
  console.error(`expected ${expected} ${code ?? ""}`);
  process.exit(1);
}

/** Exits with an error if the two differ. */
export function expectSame(what: string, actual: unknown, expected: unknown): void {
  const isSame = isDeepStrictEqual(actual, expected);
  console.log(`${isSame ? "✓" : "✗"} ${what}: ${JSON.stringify(actual)}`);
  if (isSame) return;
  console.error(`expected ${JSON.stringify(expected)}`);
  process.exit(1);
}
