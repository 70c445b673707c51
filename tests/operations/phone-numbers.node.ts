import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import * as library from "libphonenumber-js/max";
import examples from "libphonenumber-js/mobile/examples";
import "../../scripts/build-assets.ts";

const bundled: typeof library = await import(join(import.meta.dirname, "../../build/phone-numbers.js"));

/** What this service asks of a number. */
function answers({ parsePhoneNumberFromString }: typeof library, text: string, country?: library.CountryCode) {
  const parsed = parsePhoneNumberFromString(text, { ...(country ? { defaultCountry: country } : {}), extract: false });
  return parsed && [parsed.number, parsed.country, parsed.nationalNumber, parsed.isValid(), parsed.getType()];
}

test("the Worker's bundle knows the same phone numbers as the library", () => {
  for (const [country, national] of Object.entries(examples) as [library.CountryCode, string][]) {
    const international = `+${library.getCountryCallingCode(country)}${national}`;
    for (const text of [national, international, `${international}0`, national.slice(1), `${international} ext. 5`]) {
      assert.deepEqual(answers(bundled, text, country), answers(library, text, country), text);
      assert.deepEqual(answers(bundled, text), answers(library, text), text);
    }
    assert.equal(bundled.getCountryCallingCode(country), library.getCountryCallingCode(country));
    assert.ok(bundled.isSupportedCountry(country));
  }
  assert.ok(!bundled.isSupportedCountry("XX"));
});
