import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { routes } from "../../src/app.ts";
import { type CallOptions, newIp } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { fetchDocument, type OpenApiDocument } from "../support/openapi.ts";
import { differing, takeSnapshot as snapshotEverything, untilQuiet } from "../support/snapshot.ts";
import { findFaults, send } from "./check.ts";
import { fillPath, type Operation, operationsOf } from "./operations.ts";
import { type Stage, setStage, takeSnapshot } from "./stage.ts";

let document: OpenApiDocument;
let stage: Stage;
let operations: Operation[];
let before: Record<string, string>;

beforeAll(async () => {
  stopClock();
  document = await fetchDocument();
  operations = operationsOf(document);
  stage = await setStage();
});
beforeEach(async () => {
  before = await takeSnapshot(stage);
});
afterAll(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A call by an admin on the target, checked against the contract. */
async function ask(method: string, path: string, options: CallOptions = {}) {
  const answer = await send(method, path, {
    token: stage.actors.admin.access,
    env: stage.env,
    ip: newIp(),
    ...options,
  });
  expect(findFaults(document, method, path, answer), `${method} ${path}`).toEqual([]);
  return answer;
}

const pathOf = (operation: Operation) => fillPath(operation, { id: stage.target.userId });
const withBody = () => operations.filter(({ body }) => body);
const expectUnchanged = async () => expect(differing(before, await takeSnapshot(stage))).toEqual([]);

/** Whether the GET of this path answers HEAD, too. */
const answersHead = (path: string) =>
  routes.some(({ declared, methods }) => declared.path === path && methods.includes("HEAD"));

const type = (value: string) => ({ "content-type": value });

/** Operations that accept any body: the provider's browser sends it, and the response is a redirect. */
const byBrowser = (path: string) => path.endsWith("/callback");

/** Staff's views of a person, which the audit log records. */
const RECORDED_VIEWS = [
  "GET /api/users/{id}",
  "GET /api/users/{id}/kyc",
  "GET /api/users/{id}/audit-logs",
  "GET /api/users/kyc/submissions",
];

test("a HEAD of a route with GET changes no table and counts towards no limit", async () => {
  const limit = vi.fn(async () => ({ success: true }));
  const env = { ...stage.env, RATE_LIMITER: { limit } } as unknown as Partial<Env>;
  const token = stage.actors.admin.access;
  const { document_front_url: link } = (await ask("GET", "/api/users/kyc")).body.data;
  const file = new URL(link);
  const values: Record<string, string> = { file: "main.js", screen: "people", id: stage.target.userId };
  const links: Record<string, string> = { "/api/users/kyc/documents/{id}": file.pathname + file.search };
  await untilQuiet();
  const everything = await snapshotEverything();
  for (const { declared } of routes.filter(({ declared }) => declared.method === "get")) {
    const path = links[declared.path] ?? declared.path.replaceAll(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
    const answer = await send("HEAD", path, { token, env, ip: newIp() });
    expect(answer.status === 405, declared.path).toBe(!answersHead(declared.path));
    expect(answer.headers.get("allow") ?? "", declared.path).not.toContain("HEAD");
    await untilQuiet();
    expect(differing(everything, await snapshotEverything()), declared.path).toEqual([]);
  }
  expect(limit).not.toHaveBeenCalled();
});

describe("every route of the document", () => {
  test("ASVS 4.1.4: returns 405 for other methods, with the documented ones in Allow", async () => {
    const paths = Map.groupBy(operations, ({ path }) => path);
    for (const [path, own] of paths) {
      // The parameter of another path can match this one, as in notifications/{id} and notifications/read.
      const matching = path.includes("{") ? own : operations.filter(({ pattern }) => pattern.test(path));
      const documented = [...new Set(matching.map(({ method }) => method))];
      const isHeadAllowed = matching.some((each) => each.method === "GET" && answersHead(each.path));
      const allowed = isHeadAllowed ? [...documented, "HEAD"] : documented;
      const others = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "REPORT"].filter(
        (each) => !allowed.includes(each),
      );
      for (const method of others) {
        const answer = await ask(method, fillPath(own[0] as Operation, { id: stage.target.userId }));
        expect([answer.status, answer.body.error?.code], `${method} ${path}`).toEqual([405, "method_not_allowed"]);
        expect((answer.headers.get("allow") ?? "").split(", ").sort(), `${method} ${path}`).toEqual(
          [...allowed].sort(),
        );
      }
    }
    await expectUnchanged();
  });

  test("ASVS 3.5.3: changes nothing with GET, except for the record of a view by staff", async () => {
    for (const operation of operations.filter(({ method }) => method === "GET")) {
      const earlier = await takeSnapshot(stage);
      await ask("GET", pathOf(operation));
      const changed = differing(earlier, await takeSnapshot(stage));
      expect(changed, operation.name).toEqual(RECORDED_VIEWS.includes(operation.name) ? ["audit_logs"] : []);
    }
  });

  test("gives the same response with a trailing slash", async () => {
    const masked = (body: unknown) =>
      JSON.stringify(body)
        .replace(/"request_id":"[^"]+"/, "")
        .replace(/(exp|flow)=[^"]+/g, "");
    for (const operation of operations) {
      const path = pathOf(operation);
      // A call with an effect would get another response the second time.
      const options = operation.method === "GET" ? {} : { raw: "[]", headers: type("application/json") };
      const isHarmless = operation.method === "GET" || (operation.body && !byBrowser(path));
      if (!isHarmless || path.endsWith("/docs") || path.endsWith("/debug/headers")) continue;
      // Each view of the log is an entry that the next one shows.
      if (path.endsWith("/audit-logs")) continue;
      const [bare, slashed] = [
        await ask(operation.method, path, options),
        await ask(operation.method, `${path}/`, options),
      ];
      expect(slashed.status, path).toBe(bare.status);
      expect(masked(slashed.body), path).toBe(masked(bare.body));
    }
  });

  test("ASVS 4.1.1: refuses other media types with 415", async () => {
    const types = [
      "text/plain",
      "application/xml",
      "application/jsonp",
      "text/json",
      "application/octet-stream",
      "x",
      "*/*",
    ];
    for (const { method, ...operation } of withBody()) {
      for (const each of [...types, undefined]) {
        const raw = new TextEncoder().encode('{"a":1}');
        const answer = await ask(method, pathOf({ method, ...operation }), {
          raw,
          headers: each === undefined ? {} : type(each),
        });
        expect([answer.status, answer.body.error?.code], `${operation.name} ${each}`).toEqual([
          415,
          "unsupported_media_type",
        ]);
      }
    }
    await expectUnchanged();
  });

  test("ASVS 4.2.1: refuses more than 64 KB with 413, with and without Content-Length", async () => {
    const long = "x".repeat(64 * 1024 + 1);
    const chunked = () =>
      new ReadableStream({
        start(stream) {
          for (let i = 0; i < 9; i++) stream.enqueue(new TextEncoder().encode("x".repeat(8 * 1024)));
          stream.close();
        },
      });
    for (const operation of withBody()) {
      const bodies: CallOptions[] = [
        { raw: JSON.stringify({ a: long }), headers: type("application/json") },
        { raw: `a=${long}`, headers: type("application/x-www-form-urlencoded") },
        { raw: chunked(), headers: type("application/json") },
        ...((operation.body?.files ?? []).length === 0 ? [{ multipart: { a: long } }] : []),
      ];
      for (const body of bodies) {
        const answer = await ask(operation.method, pathOf(operation), body);
        expect([answer.status, answer.body.error?.code], operation.name).toEqual([413, "payload_too_large"]);
      }
    }
    await expectUnchanged();
  });

  test("ASVS 1.5.3: refuses truncated and malformed bodies of each format with 400", async () => {
    const part = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx';
    const bodies: [string, string][] = [
      ["application/json", '{"a":"x'],
      ["application/json", '{"a":1,}'],
      ["application/json", "[1]"],
      ["application/json", "null"],
      ["application/json", '"x"'],
      ["application/json", "{}{}"],
      ["application/json", `${"[".repeat(30_000)}`],
      ["application/x-www-form-urlencoded", "a=%ff"],
      ["application/x-www-form-urlencoded", "a=%E0%A4"],
      ["multipart/form-data; boundary=b", part],
      ["multipart/form-data; boundary=b", part.slice(0, 30)],
      ["multipart/form-data; boundary=b", `${part}\r\n--b`],
      ["multipart/form-data", `${part}\r\n--b--\r\n`],
    ];
    for (const operation of withBody()) {
      for (const [media, raw] of bodies) {
        const answer = await ask(operation.method, pathOf(operation), { raw, headers: type(media) });
        expect([answer.status, answer.body.error?.code], `${operation.name} ${media} ${raw.slice(0, 40)}`).toEqual([
          400,
          "validation_error",
        ]);
      }
    }
    await expectUnchanged();
  });

  test("gives the same response to all three body formats", async () => {
    const values: Record<string, string> = {
      identifier: "x",
      otp: "12345",
      status: "NOPE",
      role: "NOPE",
      full_name: "x",
      reason: "x".repeat(256),
    };
    for (const operation of withBody().filter(({ body }) => body?.takesJson)) {
      const names = Object.keys(operation.body?.fields ?? {});
      const wrong = Object.fromEntries(names.map((name) => [name, values[name] ?? "x".repeat(5000)]));
      const empty = {};
      for (const fields of [wrong, empty]) {
        if (fields === empty && operation.body?.required.length === 0) continue;
        const answers = await Promise.all(
          [{ json: fields }, { form: fields }, { multipart: { ...fields, unheard_of: "x" } }].map((body) =>
            ask(operation.method, pathOf(operation), body),
          ),
        );
        const [first, ...others] = answers.map(({ status, body }) => ({ status, ...body, request_id: "" }));
        for (const other of others) expect(other, operation.name).toEqual(first);
        expect(first?.status, operation.name).toBeGreaterThanOrEqual(400);
      }
    }
    await expectUnchanged();
  });

  test("has the same effect with all three body formats", async () => {
    const fields = {
      full_name: "आशा Gurung",
      address: "Kathmandu 44600",
      date_of_birth: "1990-05-05",
      avatar_url: "https://example.com/a.png",
    };
    const device = {
      device_id: "d1",
      fcm_token: "x".repeat(20),
      device_type: "IOS",
      device_name: "Phone é",
      is_active: "true",
    };
    const seen: unknown[][] = [[], [], []];
    for (const [i, format] of ["json", "form", "multipart"].entries()) {
      for (const [method, path, body] of [
        ["PUT", "/api/users/profile", fields],
        ["PATCH", "/api/users/profile", fields],
        ["POST", "/api/auth/device", device],
        ["PATCH", `/api/users/${stage.target.userId}`, { address: "Patan" }],
        ["POST", `/api/users/${stage.target.userId}/unlock`, { reason: "Asked by phone" }],
      ] as const) {
        const answer = await ask(method, path, { [format]: body });
        expect(answer.status, `${path} ${format}`).toBe(200);
        seen[i]?.push(JSON.parse(JSON.stringify(answer.body).replace(/(exp|flow)=[^"]+/g, "")));
      }
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  });
});
