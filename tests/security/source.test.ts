import { expect, test } from "vitest";
import packageLock from "../../package-lock.json?raw";
import { operationsOf } from "../fuzz/operations.ts";
import { call, newIp } from "../support/client.ts";
import { fetchDocument } from "../support/openapi.ts";

const sources = import.meta.glob<string>("../../src/**/*.ts", { query: "?raw", import: "default", eager: true });

/** Lines of the Worker's source without comments. */
const code = Object.entries(sources).flatMap(([file, text]) =>
  text
    .split("\n")
    .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line))
    .map((line) => `${file}: ${line.trim()}`),
);

test("ASVS 11.2.4: no secret is compared with a variable-time operator", () => {
  const compared = code.filter(
    (line) =>
      /(?:hash|signature|digest|mac|secret)\w*\)? (?:===|!==) /i.test(line) ||
      /(?:===|!==) \w*(?:hash|signature|digest|mac\b|secret)/i.test(line),
  );
  // The hashes of one-time codes are compared in SQL: they are HMACs under a secret pepper, so timing reveals nothing.
  // Allowed: presence checks; keyed hashes of bodies and the encoding of a cursor, which reveal one bit in constant
  // steps; ids; and the magic bytes of a picture.
  const harmless = /(?:===|!==) (?:null|undefined|"")|bodyHash|secretId|SIGNATURE|!== cursor/;
  expect(compared.filter((line) => !harmless.test(line))).toEqual([]);
});

test("ASVS 11.5.1, 6.5.3: no value comes from a predictable random generator", () => {
  expect(code.filter((line) => line.includes("Math.random"))).toEqual([]);
  expect(
    code.filter((line) => /\b(?:randomUUID|uuidv?[1347])\(/.test(line) && /token|secret|code\b/i.test(line)),
  ).toEqual([]);
});

test("ASVS 15.1.2: every package is locked to a version and a hash from one registry", () => {
  const { packages } = JSON.parse(packageLock) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };
  const locked = Object.entries(packages).filter(([path]) => path !== "");
  expect(locked.length).toBeGreaterThan(50);
  expect(locked.filter(([, { integrity }]) => !integrity?.startsWith("sha512-")).map(([path]) => path)).toEqual([]);
  expect(new Set(locked.map(([, { resolved = "" }]) => resolved && new URL(resolved).host)).size).toBe(1);
});

test("ASVS 1.3.12: ten thousand characters in any public field are answered, whatever pattern checks them", async () => {
  const hostile = ["a", "0", "+", "a@", "a.", " ", "\u0301", "%"].map((part) => part.repeat(10_000 / part.length));
  for (const operation of operationsOf(await fetchDocument()).filter(
    ({ isGuarded, body }) => !isGuarded && body?.takesJson,
  )) {
    for (const text of hostile) {
      const json = Object.fromEntries(Object.keys(operation.body?.fields ?? {}).map((name) => [name, text]));
      const { status } = await call(operation.method, operation.path, { ip: newIp(), json });
      expect([400, 401, 404, 413], `${operation.name} ${text.slice(0, 4)}`).toContain(status);
    }
  }
});
