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

/** A comparison with something that may be secret. */
const COMPARISON = [
  /(?:hash|signature|digest|mac|secret)\w*\)? (?:===|!==) /i,
  /(?:===|!==) \w*(?:hash|signature|digest|mac\b|secret)/i,
];

test("ASVS 11.2.4: no secret is compared with a variable-time operator", () => {
  const compared = code.filter((line) => COMPARISON.some((each) => each.test(line)));
  expect(compared.length).toBeGreaterThan(0);
  // The hashes of one-time codes are compared in SQL: they are HMACs under a secret pepper, so timing reveals nothing.
  // Allowed: presence checks; keyed hashes of bodies; a cursor compared with its own encoding; the public hash of a code
  // in an ID token; ids; and the magic bytes of a picture.
  const harmless =
    /\w+ (?:===|!==) (?:null|undefined|"")|[\w.]*(?:bodyHash|secretId|SIGNATURE|codeHash)\S* (?:===|!==)|(?:===|!==) [\w.]*(?:bodyHash|secretId|SIGNATURE|cursor)/g;
  expect(compared.filter((line) => COMPARISON.some((each) => each.test(line.replaceAll(harmless, ""))))).toEqual([]);
});

test("ASVS 11.5.1, 6.5.3: no value comes from Math.random, and no secret is a UUID", () => {
  expect(code.filter((line) => line.includes("Math.random"))).toEqual([]);
  expect(
    code.filter((line) => /\b(?:randomUUID|uuidv?[1347])\(/.test(line) && /token|secret|code\b/i.test(line)),
  ).toEqual([]);
});

test("ASVS 15.1.2: every package is locked to a version and a hash, and none names a registry of its own", () => {
  const { packages } = JSON.parse(packageLock) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };
  const locked = Object.entries(packages).filter(([path]) => path !== "");
  expect(locked.length).toBeGreaterThan(50);
  expect(locked.filter(([, { integrity }]) => !integrity?.startsWith("sha512-")).map(([path]) => path)).toEqual([]);
  expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
});

test("ASVS 1.3.12: ten thousand characters in any public JSON field get a 4xx, whatever pattern checks them", async () => {
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
