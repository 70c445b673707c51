import { expect, test } from "vitest";
import { app, routes } from "../../../src/app.ts";
import type { Endpoint, Guard } from "../../../src/platform/http/endpoint.ts";
import type { isAdmin, isStaff, mayChangeAccount, mayChangeRole } from "../../../src/sessions/authority.store.ts";
import type { AdminClaims, StaffClaims } from "../../../src/sessions/claims.ts";
import type { admin, authenticated, publicAccess, staff } from "../../../src/sessions/guard.ts";
import type { AccessClaims } from "../../../src/sessions/tokens.ts";
import type { putUserRole } from "../../../src/staff/access/account-access.routes.ts";
import type { getUsers } from "../../../src/staff/directory/directory.routes.ts";
import type { getMyProfile } from "../../../src/users/profile.routes.ts";
import { expectations } from "../../support/matrix.ts";

test.each(routes)("the route table has the method, path and limits that the endpoint of $name declares", (route) => {
  const { method, path, limits } = route.declared;
  expect(route.name).toBe(`${method.toUpperCase()} ${path}`);
  expect(route.limit).toBe(limits.join(", ") || "-");
});

test("the route table lists every mounted route exactly once", () => {
  const listed = routes.map(({ declared, pattern }) => `${declared.method.toUpperCase()} ${pattern}`);
  const mounted = app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`);
  expect(new Set(listed).size).toBe(listed.length);
  expect(new Set(mounted)).toEqual(new Set(listed));
});

test("the guards in the route table are those of the authorization matrix", () => {
  const callers: Record<string, string> = {
    authenticated: "user",
    authenticatedOrExpired: "user",
    staff: "staff",
    admin: "admin",
  };
  const documented = routes.filter(({ name }) => name in expectations);
  expect(documented.map(({ name, guard }) => [name, callers[guard.name] ?? "anyone"])).toEqual(
    documented.map(({ name }) => [name, expectations[name]?.guard]),
  );
  expect(documented.length).toBe(Object.keys(expectations).length);
});

/** Whether `route(..., guard, endpoint)` compiles. */
type Compiles<G, E> = G extends Guard<infer C> ? (E extends Endpoint<C> ? true : false) : false;
/** Whether the function takes the claims as its caller. */
type Takes<F, C> = F extends (deps: never, caller: infer P, ...rest: never[]) => unknown
  ? C extends P
    ? true
    : false
  : false;

test("an endpoint compiles only with its own guard", () => {
  const own: [
    Compiles<typeof authenticated, typeof getMyProfile>,
    Compiles<typeof staff, typeof getUsers>,
    Compiles<typeof admin, typeof putUserRole>,
  ] = [true, true, true];
  const others: [
    Compiles<typeof publicAccess, typeof getMyProfile>,
    Compiles<typeof staff, typeof getMyProfile>,
    Compiles<typeof publicAccess, typeof getUsers>,
    Compiles<typeof authenticated, typeof getUsers>,
    Compiles<typeof admin, typeof getUsers>,
    Compiles<typeof authenticated, typeof putUserRole>,
    Compiles<typeof staff, typeof putUserRole>,
  ] = [false, false, false, false, false, false, false];
  expect([...own, ...others]).toHaveLength(10);
});

test("the condition of a role accepts only claims from the guard of that role", () => {
  const taken: [
    Takes<typeof isStaff, StaffClaims>,
    Takes<typeof isAdmin, AdminClaims>,
    Takes<typeof isStaff, AdminClaims>,
  ] = [true, true, true];
  const refused: [
    Takes<typeof isStaff, AccessClaims>,
    Takes<typeof isStaff, { userId: string; sessionId: string }>,
    Takes<typeof mayChangeAccount, AccessClaims>,
    Takes<typeof isAdmin, StaffClaims>,
    Takes<typeof mayChangeRole, StaffClaims>,
  ] = [false, false, false, false, false];
  expect([...taken, ...refused]).toHaveLength(8);
});
