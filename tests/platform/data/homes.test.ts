import { expect, test } from "vitest";
import { z } from "zod";
import { routes } from "../../../src/app.ts";
import { drizzleOn } from "../../../src/platform/data/drizzle.ts";
import { atHome } from "../../../src/platform/data/homes.ts";
import { publicRawEndpoint } from "../../../src/platform/http/raw-endpoint.ts";
import type { AdminClaims, MaybeExpiredClaims } from "../../../src/sessions/claims.ts";
import { admin, authenticated, authenticatedOrExpired, publicEndpoint, staff } from "../../../src/sessions/guard.ts";
import { testEnv } from "../../support/client.ts";

test("with one home, the work starts at once, with the same dependencies", async () => {
  const deps = { db: drizzleOn(testEnv.DB) };
  let given: unknown;
  const done = atHome(deps, { user: "a" }, async (home) => {
    given = home;
  });
  expect(given).toBe(deps);
  await done;
});

const claims = { userId: "caller" } as unknown as AdminClaims & MaybeExpiredClaims;

test("a signed-in user's calls concern the user's own home, whatever id the path contains", () => {
  expect(authenticated.home?.(claims, { id: "session" })).toEqual({ user: "caller" });
  expect(authenticatedOrExpired.home?.(claims, {})).toEqual({ user: "caller" });
});

test("calls of staff concern the home of the user in the path, or every home if the path names no user", () => {
  for (const guard of [staff, admin]) {
    expect(guard.home?.(claims, { id: "other" })).toEqual({ user: "other" });
    expect(guard.home?.(claims, {})).toBe("every");
  }
});

test("every id in the path of a staff route is that of a user", () => {
  const withId = routes.filter(
    ({ guard, name }) => [staff, admin].some((each) => each.name === guard.name) && name.includes("{"),
  );
  expect(withId.length).toBeGreaterThan(10);
  expect(withId.filter(({ name }) => !/^[A-Z]+ \/api\/users\/\{id\}(?:\/[a-z-]+)*$/.test(name))).toEqual([]);
});

test("a public endpoint does not compile without `home`", () => {
  const message = { en: "Done.", ne: "भयो।" };
  const spec = {
    ...{ method: "get", path: "/a", tag: "Platform", operationId: "getA", summary: "Get", description: "Gets." },
    ...{ data: z.object({}), message },
  } as const;
  // @ts-expect-error `home` is missing.
  publicEndpoint(spec, async () => ({ data: {} }));
  // @ts-expect-error `home` is missing.
  publicRawEndpoint({ method: "get", path: "/b" }, (c) => c.text(""));
});
