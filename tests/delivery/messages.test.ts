import { describe, expect, it } from "vitest";
import { fitsOneSms, otpText, SMS_PART } from "../../src/delivery/messages.ts";
import { MAX_NAME_AND_DOMAIN } from "../../src/delivery/provider-settings.ts";
import { type SecurityMessage, securityMessage, securityTexts } from "../../src/delivery/security-messages.ts";

describe("one-time code texts", () => {
  const longest = { appName: "A".repeat(12), otpAutofillDomain: "d".repeat(MAX_NAME_AND_DOMAIN - 12) };

  it.each(["en", "ne"] as const)("fits one SMS in %s with the longest accepted app name and domain", (locale) => {
    expect(fitsOneSms(otpText(locale, longest, "123456"))).toBe(true);
  });

  it.each(["en", "ne"] as const)("fits one SMS in %s if it changes an account, also with an app's hash", (locale) => {
    for (const smsAndroidAppHash of [undefined, "FA+9qCX9VS/"]) {
      const text = otpText(locale, { ...longest, smsAndroidAppHash }, "123456", "change");
      expect(fitsOneSms(text)).toBe(true);
      expect(text).not.toBe(otpText(locale, { ...longest, smsAndroidAppHash }, "123456"));
    }
  });

  it("exceeds one SMS in Nepali with a name one character longer than accepted", () => {
    const longer = { ...longest, appName: `${longest.appName}A` };
    expect(fitsOneSms(otpText("ne", longer, "123456"))).toBe(false);
  });

  describe("with the hash of an Android app", () => {
    const hashed = { ...longest, smsAndroidAppHash: "FA+9qCX9VS/" };

    it.each(["en", "ne"] as const)("fits one SMS in %s with the longest accepted app name and domain", (locale) => {
      expect(fitsOneSms(otpText(locale, hashed, "123456"))).toBe(true);
    });

    it.each([
      ["en", 72],
      ["ne", 37],
    ] as const)("fits one SMS in %s up to an app name and domain of %i characters", (locale, most) => {
      const named = (length: number) => ({ ...hashed, appName: "A".repeat(length - longest.otpAutofillDomain.length) });
      expect(most).toBeGreaterThanOrEqual(MAX_NAME_AND_DOMAIN);
      expect(fitsOneSms(otpText(locale, named(most), "123456"))).toBe(true);
      expect(fitsOneSms(otpText(locale, named(most + 1), "123456"))).toBe(false);
    });

    it.each(["en", "ne"] as const)("has the hash alone in the line before the one for autofill in %s", (locale) => {
      const lines = otpText(locale, hashed, "012345").split("\n");
      expect(lines.slice(-2)).toEqual([hashed.smsAndroidAppHash, `@${longest.otpAutofillDomain} #012345`]);
      expect(lines[0]).toContain("012345");
    });
  });

  it("ends with the origin-bound line that phones autofill", () => {
    for (const locale of ["en", "ne"] as const) {
      const text = otpText(locale, { appName: "PowerBank", otpAutofillDomain: "example.com" }, "012345");
      expect(text.split("\n").at(-1)).toBe("@example.com #012345");
      expect(text).toContain("PowerBank");
    }
  });

  it("counts one SMS as 160 GSM-7 characters or 70 others", () => {
    expect(fitsOneSms("a".repeat(SMS_PART.gsm7))).toBe(true);
    expect(fitsOneSms("a".repeat(SMS_PART.gsm7 + 1))).toBe(false);
    expect(fitsOneSms("क".repeat(SMS_PART.ucs2))).toBe(true);
    expect(fitsOneSms("क".repeat(SMS_PART.ucs2 + 1))).toBe(false);
  });
});

describe("messages about an account's security", () => {
  const texts = Object.entries(securityTexts).flatMap(([name, { en, ne }]) => [
    { name: `${name} in English`, text: en.text },
    { name: `${name} in Nepali`, text: ne.text },
  ]);

  it.each(texts)("$name fits one SMS with an app name of 20 characters, the longest accepted", ({ text }) => {
    expect(fitsOneSms(text("A".repeat(20)))).toBe(true);
  });

  const contact = "support@powerbank.example";
  const config = (supportContact?: string) => ({ appName: "PowerBank", supportContact });
  const names = Object.keys(securityTexts) as SecurityMessage[];

  it.each(names)("%s ends by e-mail with how to reach support", (name) => {
    for (const locale of ["en", "ne"] as const) {
      const recipient = { channel: "email", locale } as const;
      const plain = securityMessage(config(), name, recipient);
      expect(plain.text).not.toContain("@");
      expect(securityMessage(config(contact), name, recipient)).toEqual({ ...plain, text: `${plain.text} ${contact}` });
    }
  });

  it("names support by SMS only where the text still fits one SMS", () => {
    const sent = names.flatMap((name) =>
      (["en", "ne"] as const).map((locale) => securityMessage(config(contact), name, { channel: "sms", locale }).text),
    );
    expect(sent.filter((text) => !fitsOneSms(text))).toEqual([]);
    expect(sent.some((text) => text.endsWith(contact))).toBe(true);
    expect(sent.some((text) => !text.endsWith(contact))).toBe(true);
  });
});
