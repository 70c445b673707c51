import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Answer, type CallOptions, newIp } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { fetchDocument, type OpenApiDocument } from "../support/openapi.ts";
import { findFaults, send } from "./check.ts";
import { hostileTexts } from "./corpora.ts";
import { type Stage, setStage } from "./stage.ts";

let document: OpenApiDocument;
let stage: Stage;

beforeAll(async () => {
  stopClock();
  document = await fetchDocument();
  stage = await setStage();
});
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Route = readonly [method: string, path: string, options: CallOptions];

async function ask([method, path, options]: Route, headers: Record<string, string> = {}): Promise<Answer> {
  const all = { ...options.headers, ...headers };
  const answer = await send(method, path, { env: stage.env, ip: newIp(), ...options, headers: all });
  expect(
    findFaults(document, method, path, answer),
    `${method} ${path} ${JSON.stringify(headers).slice(0, 200)}`,
  ).toEqual([]);
  return answer;
}

/** Valid header text (RFC 9110 section 5.5): visible Latin-1 characters with spaces between them. */
const headerTexts = hostileTexts.filter((text) =>
  /^[\x21-\x7e\xa0-\xff]([\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa0-\xff])?$/.test(text),
);
const long = "x".repeat(60_000);

/** Reads, refusals, a change and the start of a sign-in; repeating one does not change its response. */
function routes(): Route[] {
  const { access: token } = stage.actors.user;
  return [
    ["GET", "/api/auth/me", { token }],
    ["GET", "/api/auth/me", {}],
    ["PATCH", "/api/users/profile", { token, json: { full_name: "Asha Gurung" } }],
    ["POST", "/api/auth/login", { json: { identifier: "a@example.com", verification_token: "none" } }],
    ["GET", "/api/auth/google/login", {}],
    ["GET", "/api/health", {}],
  ];
}

/** The response without what differs from call to call. */
const said = ({ status, body }: Answer) =>
  `${status} ${JSON.stringify(body).replace(/"(request_id|login_url)":"[^"]*"/g, "")}`;

/** Headers that must have no effect, with values that have fooled other services. */
const ignored: Record<string, string[]> = {
  host: ["evil.example", "localhost", "api.example.com:80", "127.0.0.1"],
  "x-forwarded-for": ["127.0.0.1", "203.0.113.9, 10.0.0.1", "unknown", "::1"],
  "x-forwarded-host": ["evil.example", "localhost"],
  "x-forwarded-proto": ["http", "javascript"],
  "x-forwarded-prefix": ["/admin"],
  "x-forwarded-port": ["22"],
  forwarded: ["for=127.0.0.1;host=evil.example;proto=http"],
  "x-real-ip": ["127.0.0.1"],
  "x-client-ip": ["127.0.0.1"],
  "true-client-ip": ["127.0.0.1"],
  "x-user-id": ["1"],
  "x-original-url": ["/api/users"],
  "x-rewrite-url": ["/api/users"],
  "x-http-method-override": ["DELETE"],
  "x-method-override": ["DELETE"],
  range: ["bytes=0-1", "bytes=-1", "bytes=0-0,1-1,2-2", "bytes=999999999-", "items=0-1"],
  "if-range": ['"x"'],
  "if-match": ["*", '"x"'],
  "if-none-match": ["*", '"x"', 'W/"x"'],
  "if-modified-since": ["Wed, 21 Oct 2065 07:28:00 GMT", "never"],
  "if-unmodified-since": ["Thu, 01 Jan 1970 00:00:00 GMT"],
  // Values that select English or cannot be parsed; Nepali would change only texts.
  "accept-language": ["*;q=0", "en-US,en;q=0.9,ne;q=x", ",".repeat(5000), "x-klingon", "nepal"],
  accept: ["text/html", "application/xml;q=1", "*/*;q=0", "image/*", "x"],
  "accept-encoding": ["br;q=1.0, gzip;q=0", "*"],
  "accept-charset": ["utf-16"],
  expect: ["100-continue", "x"],
  te: ["trailers"],
  upgrade: ["h2c", "websocket"],
  connection: ["close", "upgrade"],
  "transfer-encoding": ["chunked", "gzip, chunked", "identity", "xchunked"],
  trailer: ["Authorization"],
  "max-forwards": ["0"],
  via: ["1.1 evil.example"],
  "cache-control": ["no-cache", "only-if-cached"],
  pragma: ["no-cache"],
  cookie: ["access_token=x; session=1", "__Host-google-flow=x", "=", ";;;", "a=b; a=c"],
  origin: ["https://evil.example", "null", "file://", "https://api.example.com"],
  referer: ["https://evil.example/?token=x"],
  "user-agent": ["", "() { :; }; /bin/true"],
  "idempotency-key": ["x".repeat(16), "y".repeat(255)],
  "sec-fetch-site": ["cross-site"],
  "cf-ray": ["x"],
  "cf-ipcountry": ["XX"],
  "cf-visitor": ['{"scheme":"http"}'],
  "proxy-authorization": ["Basic eDp4"],
};

describe("ASVS 4.1.3, 15.3.4: headers without effect", () => {
  test("do not change the response, whatever they contain", async () => {
    for (const route of routes()) {
      const usual = said(await ask(route));
      for (const [name, values] of Object.entries(ignored)) {
        for (const value of values)
          expect(said(await ask(route, { [name]: value })), `${name}: ${value.slice(0, 80)}`).toBe(usual);
      }
    }
  });

  test("cause no 5xx, however strange or long they are", async () => {
    const [me, , change] = routes() as [Route, Route, Route];
    const names = [...Object.keys(ignored), "x-request-id", "content-language", "x-anything"].filter(
      (name) => name !== "idempotency-key",
    );
    for (const [i, name] of names.entries()) {
      const texts = [...headerTexts.filter((_, at) => at % 4 === i % 4), long];
      for (const value of texts) {
        expect((await ask(me, { [name]: value })).status, `${name}: ${value.slice(0, 80)}`).toBe(200);
      }
      expect((await ask(change, { [name]: long })).status, name).toBe(200);
    }
  });
});

describe("headers with effect", () => {
  test("ASVS 7.2.1: one bearer token is accepted in any spelling of its scheme, any other Authorization gets 401", async () => {
    const { access } = stage.actors.user;
    const me: Route = ["GET", "/api/auth/me", {}];
    const right = ["Bearer", "bearer", "BEARER", "bEaReR"].map((scheme) => `${scheme} ${access}`);
    for (const authorization of [...right, `Bearer   ${access}`, `Bearer ${access}  `]) {
      expect((await ask(me, { authorization })).status, authorization.slice(0, 20)).toBe(200);
    }
    const wrong = [
      access,
      "Bearer",
      `Bearer${access}`,
      `Bearer:${access}`,
      `Bearer=${access}`,
      `Bearer "${access}"`,
      `Bearer ${access},`,
      `Bearer ${access}, Bearer ${access}`,
      `Bearer ${access} Bearer ${access}`,
      `Bearer x, Bearer ${access}`,
      `Basic ${access}`,
      `Basic ${btoa(`${access}:`)}`,
      `Token ${access}`,
      `JWT ${access}`,
      `Digest username="${access}"`,
      `DPoP ${access}`,
      `MAC id="${access}"`,
      `OAuth ${access}`,
      `Bearer token=${access}`,
      `Bearer\t${access}`,
      `Bearer\u00a0${access}`,
      `Bearer ${encodeURIComponent(`Bearer ${access}`)}`,
      `Bearer ${access}${long}`,
      `Bearer ${long}`,
      "Bearer null",
      "Bearer undefined",
      "Bearer [object Object]",
      ...headerTexts,
      ...headerTexts.map((text) => `Bearer ${text}`),
    ];
    for (const authorization of wrong)
      expect((await ask(me, { authorization })).status, authorization.slice(0, 80)).toBe(401);
  });

  test("ASVS 4.2.1: a wrong Content-Length is refused or ignored", async () => {
    const { access: token } = stage.actors.user;
    const raw = '{"full_name":"Asha Gurung"}';
    for (const length of ["0", "1", "-1", "27", "28", "0x1b", "2e1", "1e9", "9".repeat(30), "x", "1, 2", "99999999"]) {
      const headers = { "content-type": "application/json", "content-length": length };
      const { status } = await ask(["PATCH", "/api/users/profile", { token, raw, headers }]);
      expect([200, 413], length).toContain(status);
    }
  });

  test("ASVS 4.1.1: only the media type of a Content-Type matters, and no form of it causes a 5xx", async () => {
    const { access: token } = stage.actors.user;
    const raw = new TextEncoder().encode('{"full_name":"Asha Gurung"}');
    const say = async (type: string) =>
      (await ask(["PATCH", "/api/users/profile", { token, raw, headers: { "content-type": type } }])).status;
    for (const type of [
      "application/json",
      "APPLICATION/JSON",
      "application/json;charset=utf-8",
      "application/json ; x=y",
      "application/json;;",
    ]) {
      expect(await say(type), type).toBe(200);
    }
    for (const type of [
      ...headerTexts,
      "application/json, text/plain",
      "application /json",
      "application/json+x",
      "application/x-json",
      long,
    ]) {
      expect(await say(type), type.slice(0, 80)).toBe(415);
    }
    for (const type of [
      "multipart/form-data",
      "multipart/form-data; boundary=",
      "multipart/form-data; boundary=x",
      `multipart/form-data; boundary=${"b".repeat(5000)}`,
      'multipart/form-data; boundary="',
    ]) {
      expect(await say(type), type.slice(0, 80)).toBe(400);
    }
    for (const encoding of ["gzip", "br", "deflate", "identity, gzip", "x", "GZIP"]) {
      const headers = { "content-type": "application/json", "content-encoding": encoding };
      expect((await ask(["PATCH", "/api/users/profile", { token, raw, headers }])).status, encoding).toBe(415);
    }
  });

  test("an invalid Idempotency-Key gets 400 on routes that honour it", async () => {
    for (const key of [
      "x".repeat(256),
      "x".repeat(15),
      "a b",
      "a b".repeat(8),
      "a\tb",
      "null",
      "undefined",
      "[object Object]",
      "00000000-0000-0000-0000-000000000000",
      "0".repeat(32),
      long,
    ]) {
      const route: Route = [
        "POST",
        "/api/auth/login",
        { json: { identifier: "a@example.com", verification_token: "none" } },
      ];
      const answer = await ask(route, { "idempotency-key": key });
      expect([answer.status, Object.keys(answer.body.error.details)], key.slice(0, 20)).toEqual([
        400,
        ["Idempotency-Key"],
      ]);
    }
  });

  test("a well-formed X-Request-Id is returned and any other is replaced", async () => {
    const me = routes()[0] as Route;
    for (const id of ["a", "0198c0de-0000-7000-8000-000000000000", "A_b-c=", "x".repeat(128)]) {
      expect((await ask(me, { "x-request-id": id })).headers.get("x-request-id")).toBe(id);
    }
    for (const id of ["x".repeat(129), "a b", "a,b", "a;b", "<script>", "é", "a/b", "a.b", "{x}"]) {
      const given = (await ask(me, { "x-request-id": id })).headers.get("x-request-id");
      expect(given, id).toMatch(/^[\w=-]{1,128}$/);
      expect(given).not.toBe(id);
    }
  });
});
