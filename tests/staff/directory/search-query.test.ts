import { expect, it } from "vitest";
import { readPattern } from "../../../src/staff/directory/search-text.ts";

const deps = { config: { smsCountries: ["NP"] } as Parameters<typeof readPattern>[0]["config"] };
const asked = (typed: string) => readPattern(deps, typed).match;

it("the index query uses rare trigrams: across name boundaries and in numbers, not in an email provider", () => {
  expect(asked("sitashrestha")).toBe('"tas" AND "sth" AND "est"');
  expect(asked("sitashrestha93@gmail.com")).toBe('"93@" AND "tas" AND "a93"');
});

it("the index query uses the distinctive digits of a number however it is written", () => {
  expect(asked("9841234567")).toBe('"567" AND "234" AND "456"');
  expect(asked("+977 984-1234567")).toBe('"567" AND "234" AND "456"');
  expect(asked("984984"), "not for what every number begins with").toBe('"498" AND "849"');
  expect(asked("984")).toBe('"984"');
  expect(asked("gmail.com"), "one of what all have").toMatch(/^"..."$/);
});

it("the index query has at most three trigrams however long the pattern is", () => {
  for (const typed of ["abc", "abcd", "x".repeat(255), "क".repeat(50)]) {
    expect(asked(typed)?.split(" AND ").length).toBeLessThanOrEqual(3);
  }
});
