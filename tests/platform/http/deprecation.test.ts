import { Hono } from "hono";
import { expect, test } from "vitest";
import { z } from "zod";
import { buildDeps } from "../../../src/build-deps.ts";
import type { AppEnv } from "../../../src/platform/http/app-env.ts";
import { AppError } from "../../../src/platform/http/errors.ts";
import { identifyRequest, logRequest, provideDeps } from "../../../src/platform/http/middleware.ts";
import { respondToError } from "../../../src/platform/http/responses.ts";
import { describedRoutes, mount, route } from "../../../src/platform/http/route.ts";
import { buildDocument } from "../../../src/platform/openapi/document.ts";
import { publicAccess, publicEndpoint } from "../../../src/sessions/guard.ts";
import { testEnv } from "../../support/client.ts";

const old = publicEndpoint(
  {
    method: "get",
    path: "/old",
    home: () => "none",
    operationId: "getOld",
    tag: "Platform",
    summary: "Get what is old",
    description: "Replaced by another operation.",
    deprecated: { since: "2027-01-01", sunset: "2027-07-01" },
    query: z.object({ fails: z.string().optional() }),
    data: z.object({ message: z.string() }),
    message: { en: "Old.", ne: "पुरानो।" },
    errors: ["not_found"],
  },
  async (_, { query }) => {
    if (query.fails) throw new AppError("not_found");
    return { data: { message: "Old." } };
  },
);
const routes = [route("GET /api/old", "-", publicAccess, old)];

test("a deprecated route says so in every response, with the day on which it ends, and in the document", async () => {
  const app = new Hono<AppEnv>();
  for (const each of [identifyRequest, logRequest, provideDeps(buildDeps)]) app.use("*", each);
  mount(app, routes);
  app.onError(respondToError);
  const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };
  for (const [path, status] of [
    ["/api/old", 200],
    ["/api/old?fails=1", 404],
  ] as const) {
    const answer = await app.request(path, {}, testEnv, context);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("deprecation")).toBe("@1798761600");
    expect(answer.headers.get("sunset")).toBe("Thu, 01 Jul 2027 00:00:00 GMT");
  }
  const facts = { appName: "PowerBank", issuer: "http://localhost:8787", smsCountries: ["NP"] };
  const document = buildDocument(facts, describedRoutes(routes), {});
  expect(document.paths).toMatchObject({ "/api/old": { get: { deprecated: true } } });
});
