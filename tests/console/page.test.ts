import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, describe, expect, test, vi } from "vitest";
import { call, newIp } from "../support/client.ts";
import { asPage, newBrowser, SESSION } from "../support/console.ts";
import { fakeInternet } from "../support/internet.ts";

afterEach(() => void vi.restoreAllMocks());

const POLICY =
  "default-src 'none'; script-src http://localhost/console/files/; style-src http://localhost/console/files/; " +
  "img-src 'self' data:; connect-src 'self'; frame-src blob:; form-action 'none'; base-uri 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const filesOf = (page: string) => [...page.matchAll(/"(\/console\/files\/[^"]+)"/g)].map(([, path]) => path ?? "");
const off = { CONSOLE: "off" } as unknown as Partial<Env>;

describe("The console's page", () => {
  test.each(["/console", "/console/", "/console/people/1/trail"])(
    "ASVS 3.4.3, 3.4.6, 3.4.8: %s has the exact policy",
    async (path) => {
      const { status, headers, body } = await call("GET", path);
      expect([status, body.startsWith("<!doctype html>")]).toEqual([200, true]);
      expect(headers.get("content-security-policy")).toBe(POLICY);
      expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(headers.get("permissions-policy")).toBe("camera=(), microphone=(), geolocation=(), clipboard-read=()");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-robots-tag")).toBe("noindex");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
    },
  );

  test("has no inline script, style or handler", async () => {
    const { body } = await call("GET", "/console");
    expect(body).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:/i);
    expect(filesOf(body)).toHaveLength(2);
  });

  test("names the domain of the passkeys if its origin may use them", async () => {
    const mark = async (PASSKEY_ORIGINS: string) => {
      const { body } = await call("GET", "/console", { env: { PASSKEY_ORIGINS } as unknown as Partial<Env> });
      return /data-passkeys="([\w.]*)"/.exec(body)?.[1];
    };
    expect(await mark("http://localhost:3000,http://localhost")).toBe("powerbank.example");
    expect(await mark("http://localhost:3000")).toBe("");
  });

  test("its files never change under their names, and there are no others", async () => {
    const { body } = await call("GET", "/console");
    const types = await Promise.all(
      filesOf(body).map(async (path) => {
        const file = await call("GET", path);
        expect(file.status, path).toBe(200);
        expect(file.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
        expect(file.headers.get("etag")).toBeTruthy();
        return file.headers.get("content-type")?.split(";")[0];
      }),
    );
    expect(types.toSorted()).toEqual(["text/css", "text/javascript"]);
    for (const name of ["index.html", "console-AAAAAAAA.js", "..%2Findex.html", "console.js"]) {
      expect((await call("GET", `/console/files/${name}`)).status, name).toBe(404);
    }
  });
});

describe("Where the console is off", () => {
  test.each([
    ["CONSOLE=off", off],
    ["production without CONSOLE", { ENVIRONMENT: "production", ISSUER: "https://api.example.com" }],
  ])("%s: every method of every address is unknown", async (_, env) => {
    const options = { env: env as unknown as Partial<Env>, ip: newIp(), headers: asPage() };
    for (const path of [
      "/console",
      "/console/people",
      "/console/files/console-AAAAAAAA.js",
      SESSION,
      `${SESSION}/refresh`,
    ]) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
        const answer = await call(method, path, options);
        expect([method, path, answer.status]).toEqual([method, path, 404]);
      }
    }
  });
});

describe("With Cloudflare Access (ASVS 8.4.2)", () => {
  const TEAM = "https://power.cloudflareaccess.com";
  const AUD = "a".repeat(64);
  const env = { ACCESS_TEAM: "power", ACCESS_AUD: AUD } as unknown as Partial<Env>;

  async function newTeam() {
    const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
    const kid = crypto.randomUUID();
    const jwk = { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" };
    const sign = (claims: Record<string, unknown> = {}, issuer = TEAM, audience = AUD) =>
      new SignJWT({ email: "asha@example.com", ...claims })
        .setProtectedHeader({ alg: "RS256", kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject("1")
        .setIssuedAt()
        .setExpirationTime(Number(claims.exp ?? Math.floor(Date.now() / 1000) + 600))
        .sign(privateKey);
    return { jwk, sign };
  }
  const open = (assertion: string | undefined, path = "/console") =>
    call("GET", path, { env, ip: newIp(), headers: assertion ? { "Cf-Access-Jwt-Assertion": assertion } : {} });

  test("the page, its files and the session routes want a valid assertion; anything else is refused", async () => {
    const { jwk, sign } = await newTeam();
    let isDown = true;
    const received = fakeInternet({
      [TEAM]: () => (isDown ? new Response("", { status: 500 }) : Response.json({ keys: [jwk] })),
    });
    expect((await open(await sign())).status).toBe(503);
    isDown = false;
    expect((await open(await sign())).status).toBe(200);
    expect(new Set(received[TEAM]?.map(({ url }) => url))).toEqual(new Set([`${TEAM}/cdn-cgi/access/certs`]));
    const unsigned = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ iss: TEAM, aud: AUD, sub: "1", exp: 9e9 }))}.`;
    const refused = {
      absent: undefined,
      "of another application": await sign({}, TEAM, "b".repeat(64)),
      "of another team": await sign({}, "https://other.cloudflareaccess.com"),
      expired: await sign({ exp: Math.floor(Date.now() / 1000) - 60 }),
      "signed by nobody": unsigned,
      garbage: "a.b.c",
      "far too long": "a".repeat(10_000),
    };
    for (const [name, assertion] of Object.entries(refused)) {
      const answer = await open(assertion);
      expect([name, answer.status, answer.body.error?.code]).toEqual([name, 403, "permission_denied"]);
    }
    expect((await open(undefined, "/console/files/console-AAAAAAAA.js")).status).toBe(403);
    const browser = newBrowser();
    expect((await browser.call("POST", `${SESSION}/refresh`, { env })).status).toBe(403);
    const headers = { "Cf-Access-Jwt-Assertion": await sign() };
    expect((await browser.call("POST", `${SESSION}/refresh`, { env, headers })).status).toBe(200);
  });
});
