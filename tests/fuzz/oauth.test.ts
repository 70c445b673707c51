import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Browser, locationOf, openBrowser } from "../support/browser.ts";
import { type Answer, type CallOptions, newIp, testEnv } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { fetchDocument, type OpenApiDocument } from "../support/openapi.ts";
import {
  APP_URI,
  fakeProviders,
  ISSUERS,
  type Name,
  names,
  newPerson,
  newVerifier,
  PAGE_URI,
  type Providers,
} from "../support/openid.ts";
import { findFaults, send } from "./check.ts";
import { hostileTexts, wrongTypes } from "./corpora.ts";
import { redirectBypasses } from "./redirects.ts";

const ERROR_PAGE = "https://api.example.com/api/auth/social/error";

let document: OpenApiDocument;
let providers: Providers;
let sessionsBefore: number | null;

const countSessions = () => testEnv.DB.prepare("select count(*) as n from sessions").first<number>("n");

useClock();
beforeEach(async () => {
  document = await fetchDocument();
  providers = fakeProviders();
  sessionsBefore = await countSessions();
});
afterEach(async () => {
  expect(await countSessions()).toBe(sessionsBefore);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Calls without credentials and checks the response against the contract. */
async function ask(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const answer = await send(method, path, { env: providers.env, ip: newIp(), ...options });
  expect(findFaults(document, method, path, answer), `${method} ${path}`).toEqual([]);
  return answer;
}

const refusal = ({ status, body }: Answer) => [status, body.error?.code];
const search = (pairs: [string, string][]) => new URLSearchParams(pairs).toString();

/** A browser at the provider's consent page, and the fields that the provider would return. */
async function begin(name: Name): Promise<{ browser: Browser; consent: Record<string, string> }> {
  const browser = openBrowser(providers.env, newIp());
  const ordered = await ask("GET", `/api/auth/${name}/login`);
  const started = await browser.go("GET", ordered.body.data.login_url);
  return { browser, consent: await providers.consent(name, locationOf(started), newPerson(name)) };
}

/** Returns the fields to the callback as the provider's browser redirect does. */
async function sendToCallback(name: Name, browser: Browser, fields: [string, string][]): Promise<Answer> {
  const path = `/api/auth/${name}/callback`;
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const answer =
    name === "google"
      ? await browser.go("GET", `${path}?${search(fields)}`)
      : await browser.go("POST", path, { raw: search(fields), headers });
  expect(findFaults(document, name === "google" ? "GET" : "POST", path, answer)).toEqual([]);
  return answer;
}

/** Expects a redirect to the error page, or a 400 with an error response. */
function expectNoSignIn(answer: Answer, what: string) {
  if (answer.status === 303) expect(locationOf(answer), what).toMatch(new RegExp(`^${ERROR_PAGE}\\?error=[a-z_]+$`));
  else expect([400, "success:false"], what).toEqual([answer.status, `success:${answer.body.success}`]);
}

describe("ASVS 10.4.1, RFC 9700 section 4.1, 4.11: redirect URIs", () => {
  it("must match a configured one exactly: over a hundred similar ones are refused for both providers", async () => {
    expect(redirectBypasses.length).toBeGreaterThan(100);
    const { challenge } = await newVerifier();
    for (const name of names) {
      for (const uri of redirectBypasses) {
        const path = `/api/auth/${name}/login?${search([
          ["redirect_uri", uri],
          ["code_challenge", challenge],
        ])}`;
        expect([uri, ...refusal(await ask("GET", path))]).toEqual([uri, 400, "validation_error"]);
      }
      for (const [first, second] of [
        [PAGE_URI, "https://evil.example"],
        ["https://evil.example", PAGE_URI],
        [PAGE_URI, APP_URI],
      ] as const) {
        const pairs: [string, string][] = [
          ["redirect_uri", first],
          ["redirect_uri", second],
          ["code_challenge", challenge],
        ];
        expect(refusal(await ask("GET", `/api/auth/${name}/login?${search(pairs)}`))).toEqual([
          400,
          "validation_error",
        ]);
      }
      for (const uri of [PAGE_URI, APP_URI]) {
        const path = `/api/auth/${name}/login?${search([
          ["redirect_uri", uri],
          ["code_challenge", challenge],
        ])}`;
        expect((await ask("GET", path)).status).toBe(200);
      }
    }
  });

  it("require a well-formed S256 challenge (RFC 7636 section 4.2)", async () => {
    const { challenge } = await newVerifier();
    const wrong = [
      "x",
      challenge.slice(1),
      `${challenge}A`,
      `${challenge}=`,
      challenge.replace(/./, "+"),
      ...hostileTexts,
    ];
    for (const given of [undefined, ...wrong.filter((text) => text !== "")]) {
      const pairs: [string, string][] = [
        ["redirect_uri", PAGE_URI],
        ...(given === undefined ? [] : [["code_challenge", given] as [string, string]]),
      ];
      const answer = await ask("GET", `/api/auth/google/login?${search(pairs)}`);
      expect([given, ...refusal(answer)]).toEqual([given, 400, "validation_error"]);
    }
  });
});

describe.each(names)("the start of %s", (name) => {
  it("accepts only flows that the service started, and sets no cookie for any other", async () => {
    const flowOf = async (provider: Name) =>
      new URL((await ask("GET", `/api/auth/${provider}/login`)).body.data.login_url).searchParams.get("flow") ?? "";
    const own = await flowOf(name);
    const foreign = await flowOf(name === "google" ? "apple" : "google");
    const [kid = "", sealed = ""] = own.split(".");
    const altered = Array.from({ length: 40 }, (_, i) => {
      const at = Math.floor((i * (sealed.length - 2)) / 40);
      return `${kid}.${sealed.slice(0, at)}${sealed[at] === "A" ? "B" : "A"}${sealed.slice(at + 1)}`;
    });
    const shapes = [
      "",
      kid,
      sealed,
      `.${sealed}`,
      `${kid}.`,
      `${kid}..${sealed}`,
      `x.${sealed}`,
      `${own}.${own}`,
      own.toUpperCase(),
      foreign,
    ];
    for (const flow of [...altered, ...shapes, ...hostileTexts, "x".repeat(100_000)]) {
      const answer = await ask("GET", `/api/auth/${name}/start?${search([["flow", flow]])}`);
      expect([flow.slice(0, 80), ...refusal(answer)]).toEqual([flow.slice(0, 80), 400, "social_auth_failed"]);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    expect((await ask("GET", `/api/auth/${name}/start?${search([["flow", own]])}`)).status).toBe(303);
  });
});

describe.each(names)("ASVS 7.6.2, 10.2.1: the callback of %s", (name) => {
  const otherName = name === "google" ? "apple" : "google";

  it("neither calls the provider nor signs anybody in for a state of another flow, with or without the flow's cookie", async () => {
    const { browser, consent } = await begin(name);
    const { consent: foreign } = await begin(otherName);
    const state = consent.state ?? "";
    const near = [
      state.slice(1),
      `${state}A`,
      state.toLowerCase(),
      ` ${state}`,
      `${state}\u0000`,
      `${state}%00`,
      `${state}\n`,
      state.replace(/.$/, ""),
      foreign.state ?? "",
    ];
    const stranger = openBrowser(providers.env, newIp());
    for (const wrong of [...near, ...hostileTexts, "x".repeat(20_000)]) {
      if (wrong === state) continue;
      for (const who of [browser, stranger]) {
        expectNoSignIn(
          await sendToCallback(name, who, [
            ["code", consent.code ?? ""],
            ["state", wrong],
          ]),
          wrong.slice(0, 60),
        );
      }
    }
    for (const fields of [
      [],
      [["code", consent.code]],
      [["state", state]],
      [["error", "x"]],
      [
        ["state", ""],
        ["code", ""],
      ],
    ] as [string, string][][]) {
      expectNoSignIn(await sendToCallback(name, stranger, fields), JSON.stringify(fields));
    }
    expect(providers.callsTo(providers.tokens[name])).toEqual([]);
  });

  it("signs nobody in for another code, error or issuer, or for parameters of other names", async () => {
    const fields: ((own: Record<string, string>) => [string, string][])[] = [
      ...hostileTexts.map(
        (text) =>
          ({ state = "" }) =>
            [
              ["state", state],
              ["code", text],
            ] as [string, string][],
      ),
      ...hostileTexts.map(
        (text) =>
          ({ state = "", code = "" }) =>
            [
              ["state", state],
              ["code", code],
              ["error", text || "x"],
            ] as [string, string][],
      ),
      ...["https://evil.example", "https://accounts.google.com.evil.example", "x", "https://appleid.apple.com/x"].map(
        (iss) =>
          ({ state = "", code = "" }) =>
            [
              ["state", state],
              ["code", code],
              ["iss", iss],
            ] as [string, string][],
      ),
      ({ state = "", code = "" }) => [
        ["state", "x"],
        ["code", code],
        ["State", state],
      ],
      ({ state = "", code = "" }) => [
        ["state[]", state],
        ["code[]", code],
      ],
      ({ state = "", code = "" }) => [
        ["STATE", state],
        ["CODE", code],
      ],
      ({ code = "" }) => [
        ["state", "__proto__"],
        ["code", code],
        ["__proto__", "x"],
      ],
      ({ state = "" }) => [
        ["state", state],
        ["code", "x".repeat(20_000)],
      ],
    ];
    // The first matching state consumes a flow, so each case has its own flow.
    for (const make of fields) {
      const { browser, consent } = await begin(name);
      const pairs = make(consent);
      expectNoSignIn(await sendToCallback(name, browser, pairs), JSON.stringify(pairs).slice(0, 200));
    }
  });

  it("refuses a parameter that is sent more than once, wherever the right value stands, and the flow continues", async () => {
    const { browser, consent } = await begin(name);
    const { state = "", code = "" } = consent;
    const right: [string, string][] = [
      ["state", state],
      ["code", code],
    ];
    const twice = (field: string, first: string, second: string): [string, string][] => [
      ...right.filter(([each]) => each !== field),
      [field, first],
      [field, second],
    ];
    const cases = [
      twice("code", code, "x"),
      twice("code", "x", code),
      twice("code", code, code),
      twice("state", state, "x"),
      twice("state", "x", state),
      twice("state", state, state),
      twice("error", "x", "access_denied"),
      twice("iss", ISSUERS[name], ISSUERS[name]),
      ...(name === "apple" ? [twice("user", "{}", "{}")] : []),
    ];
    for (const pairs of cases) expectNoSignIn(await sendToCallback(name, browser, pairs), JSON.stringify(pairs));
    expect(providers.callsTo(providers.tokens[name])).toEqual([]);
    // A parameter without a value counts as omitted (RFC 6749 section 3.1).
    const answer = await sendToCallback(name, browser, [["code", ""], ...right, ["state", ""]]);
    expect(locationOf(answer)).toMatch(/\/api\/auth\/social\/success\?code=[\w-]{43}$/);
  });

  it("accepts neither a code nor a cookie of the other provider", async () => {
    const [own, other] = [await begin(name), await begin(otherName)];
    const code = other.consent.code ?? "";
    expectNoSignIn(
      await sendToCallback(name, own.browser, [
        ["state", own.consent.state ?? ""],
        ["code", code],
      ]),
      "code",
    );
    expectNoSignIn(await sendToCallback(name, other.browser, Object.entries(other.consent)), "cookie");
    expect(providers.callsTo(providers.tokens[otherName])).toEqual([]);
  });
});

it("Apple's callback never fails with a 5xx for any body, and ignores values that are not text", async () => {
  const { browser, consent } = await begin("apple");
  const go = async (options: CallOptions) => {
    const answer = await browser.go("POST", "/api/auth/apple/callback", options);
    expect(findFaults(document, "POST", "/api/auth/apple/callback", answer)).toEqual([]);
    return answer;
  };
  for (const value of wrongTypes) {
    for (const json of [
      { ...consent, state: value },
      { ...consent, state: [consent.state] },
      { state: value, code: value, user: value },
    ]) {
      expectNoSignIn(await go({ json }), JSON.stringify(json).slice(0, 100));
    }
  }
  for (const raw of ["{", "[]", "null", "\u0000"]) {
    expect((await go({ raw, headers: { "content-type": "application/json" } })).status).toBe(400);
  }
  expect((await go({ raw: "x", headers: { "content-type": "text/plain" } })).status).toBe(415);
  expect((await go({ form: { ...consent, user: "x".repeat(70_000) } })).status).toBe(413);
  expect(providers.callsTo(providers.tokens.apple)).toEqual([]);
});

describe("the pages at the end of the flow", () => {
  it("return nothing for an invalid code or credential", async () => {
    for (const code of [...hostileTexts, "x".repeat(256), "A".repeat(43)]) {
      expect((await ask("GET", `/api/auth/social/success?${search([["code", code]])}`)).status, code).toBe(400);
      for (const code_verifier of ["A".repeat(43), code]) {
        expect((await ask("POST", "/api/auth/social/success", { json: { code, code_verifier } })).status).toBe(400);
      }
    }
    const path = "/api/auth/social/success";
    const twice = `code=${"A".repeat(43)}&code=${"B".repeat(43)}`;
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const posted = { raw: `${twice}&code_verifier=${"A".repeat(43)}`, headers };
    for (const answer of [await ask("GET", `${path}?${twice}`), await ask("POST", path, posted)]) {
      expect([answer.status, answer.body.error.fields]).toEqual([400, { code: [{ code: "sent_twice" }] }]);
    }
  });

  it("show only the service's own error texts and never text from the request", async () => {
    for (const text of hostileTexts) {
      const path = `/api/auth/social/error?${search([
        ["error", text],
        ["error_description", `canary ${text}`],
      ])}`;
      const answer = await ask("GET", path);
      expect(refusal(answer)).toEqual([400, "social_auth_failed"]);
      expect(JSON.stringify(answer.body)).not.toContain("canary");
    }
  });
});
