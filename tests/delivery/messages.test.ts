import { describe, expect, it } from "vitest";
import { fitsOneSms, otpText, SMS_PART } from "../../src/delivery/messages.ts";
import { MAX_NAME_AND_DOMAIN } from "../../src/platform/config/config.ts";

describe("the text of a one-time code", () => {
  const longest = { appName: "A".repeat(12), otpAutofillDomain: "d".repeat(MAX_NAME_AND_DOMAIN - 12) };

  it.each(["en", "ne"] as const)(
    "fits one SMS part in %s, with the longest name and domain that are accepted",
    (locale) => {
      expect(fitsOneSms(otpText(locale, longest, "123456"))).toBe(true);
    },
  );

  it("would not fit in Nepali with one character more", () => {
    const longer = { ...longest, appName: `${longest.appName}A` };
    expect(fitsOneSms(otpText("ne", longer, "123456"))).toBe(false);
  });

  it("ends with the line that phones fill in by themselves", () => {
    for (const locale of ["en", "ne"] as const) {
      const text = otpText(locale, { appName: "PowerBank", otpAutofillDomain: "example.com" }, "012345");
      expect(text.split("\n").at(-1)).toBe("@example.com #012345");
      expect(text).toContain("PowerBank");
    }
  });

  it("counts a part as 160 characters of the GSM alphabet, or 70 of any other", () => {
    expect(fitsOneSms("a".repeat(SMS_PART.gsm7))).toBe(true);
    expect(fitsOneSms("a".repeat(SMS_PART.gsm7 + 1))).toBe(false);
    expect(fitsOneSms("क".repeat(SMS_PART.ucs2))).toBe(true);
    expect(fitsOneSms("क".repeat(SMS_PART.ucs2 + 1))).toBe(false);
  });
});
