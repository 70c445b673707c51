import fc from "fast-check";
import { expect, it } from "vitest";
import { formatMinor, parseMinor } from "../../src/platform/money.ts";

it.each([
  ["0", 0],
  ["0.1", 10],
  ["0.01", 1],
  ["-0.00", 0],
  ["-0.05", -5],
  ["-12.3", -1230],
  ["9999999999999.99", 999_999_999_999_999],
  ["0.29", 29],
  ["1.15", 115],
])("reads %s as %d minor units", (text, minor) => {
  expect(parseMinor(text)).toBe(minor);
});

it.each([
  "",
  ".",
  "1.",
  ".5",
  "00",
  "01",
  "1.234",
  "1,00",
  "1e3",
  "+1",
  "--1",
  " 1",
  "1 ",
  "१",
  "0x1",
  "Infinity",
  "1".repeat(14),
])("reads %j as no amount", (text) => {
  expect(parseMinor(text)).toBeUndefined();
});

it("formats with two decimal places and either sign, and parses its own output", () => {
  expect([0, -0, 5, -5, 50, 99, 100, -100, 123_456].map(formatMinor)).toEqual([
    "0.00",
    "0.00",
    "0.05",
    "-0.05",
    "0.50",
    "0.99",
    "1.00",
    "-1.00",
    "1234.56",
  ]);
  const limit = 999_999_999_999_999;
  fc.assert(
    fc.property(fc.integer({ min: -limit, max: limit }), (minor) => {
      expect(parseMinor(formatMinor(minor))).toBe(minor === 0 ? 0 : minor);
    }),
  );
});

it.each([0.5, Number.NaN, Infinity, 2 ** 53])("refuses to format %d", (minor) => {
  expect(() => formatMinor(minor)).toThrow(RangeError);
});
