import { expect, it } from "vitest";
import { ADMIN_EMAIL, drawAdmin, drawPerson } from "../scripts/seed/people.ts";
import { drawsFrom } from "../scripts/seed/random.ts";
import { parseIdentifier } from "../src/users/identifier.ts";
import { usernameField, withKey } from "../src/users/username.ts";

const UNTIL = Date.parse("2026-08-01");
const DAY_MS = 24 * 60 * 60 * 1000;
const deps = { config: { smsCountries: ["NP"] } as Parameters<typeof parseIdentifier>[0]["config"] };

function people(seed: number, count: number) {
  const draws = drawsFrom(seed);
  return Array.from({ length: count }, (_, i) => drawPerson(draws, UNTIL - i * DAY_MS, UNTIL));
}

it("the same seed gives the same users, and another seed gives others", () => {
  expect(people(1, 20)).toEqual(people(1, 20));
  expect(people(1, 20)).not.toEqual(people(2, 20));
});

it("seeded users have only valid values, in canonical form", () => {
  for (const { user } of people(3, 1000)) {
    if (user.phoneNumber)
      expect(parseIdentifier(deps, user.phoneNumber)).toEqual({ kind: "phone", value: user.phoneNumber });
    if (user.email) expect(parseIdentifier(deps, user.email)).toEqual({ kind: "email", value: user.email });
    expect(usernameField.parse(user.username)).toBe(user.username);
    expect(user.usernameKey).toBe(withKey(user.username).key);
    expect(user.email ?? user.phoneNumber).not.toBeNull();
  }
});

it("the seeded admin is active and can sign in by a verified e-mail address", () => {
  const { user } = drawAdmin(drawsFrom(0), UNTIL);
  expect(user).toMatchObject({ email: ADMIN_EMAIL, emailVerified: true, role: "admin", status: "ACTIVE" });
  expect(parseIdentifier(deps, ADMIN_EMAIL)).toEqual({ kind: "email", value: ADMIN_EMAIL });
});

it("the id of a seeded user contains the time of joining", () => {
  for (const { user } of people(4, 100)) {
    expect(Number.parseInt(user.id.replaceAll("-", "").slice(0, 12), 16)).toBe(user.dateJoined);
  }
});

it("the nightly jobs change no seeded user: dormant users are INACTIVE, and users who never signed in are unverified", () => {
  const drawn = people(5, 1000);
  for (const { user, kyc } of drawn) {
    const isDormant = UNTIL - (user.lastLogin ?? user.dateJoined) > 180 * DAY_MS;
    if (isDormant) expect(user.status).not.toBe("ACTIVE");
    if (user.lastLogin === null) expect(user.emailVerified || user.phoneVerified).toBe(false);
    if (kyc) expect(kyc.decidedAt).toBeLessThanOrEqual(UNTIL);
  }
  expect(new Set(drawn.map(({ user }) => user.status))).toEqual(new Set(["ACTIVE", "INACTIVE", "BANNED"]));
});
