import type { Locale } from "../platform/client.ts";

/**
 * The text that carries a one-time code. Its last line is the origin-bound form that phones fill in by themselves
 * (`@domain #code`, WICG "Origin-bound one-time codes delivered via SMS"). English fits one SMS part of 160 GSM-7
 * characters, Nepali one of 70 UCS-2 characters.
 */
export function otpText(locale: Locale, app: { appName: string; otpAutofillDomain: string }, code: string): string {
  const autofill = `@${app.otpAutofillDomain} #${code}`;
  return locale === "ne"
    ? `${app.appName} कोड ${code}, ५ मिनेट मान्य\n${autofill}`
    : `${code} is your ${app.appName} code. It is valid for 5 minutes. Do not share it.\n\n${autofill}`;
}

/** The same code as an e-mail; its subject, which shows on locked screens, does not hold it. */
export function otpEmail(locale: Locale, app: { appName: string }, code: string): { title: string; text: string } {
  return locale === "ne"
    ? {
        title: `${app.appName} मा साइन इन गर्ने कोड`,
        text: `तपाईंको ${app.appName} कोड: ${code}\n\nयो ५ मिनेट मान्य छ। कसैलाई नदिनुहोस्। तपाईंले माग्नुभएको होइन भने यो इमेललाई बेवास्ता गर्नुहोस्।`,
      }
    : {
        title: `Your ${app.appName} sign-in code`,
        text: `Your ${app.appName} code: ${code}\n\nIt is valid for 5 minutes. Do not share it. If you did not ask for it, ignore this e-mail.`,
      };
}

/** Characters of one SMS part: GSM 03.38 for text of its alphabet, UCS-2 for any other (3GPP TS 23.038). */
export const SMS_PART = { gsm7: 160, ucs2: 70 };

const GSM7 = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]*$/;

/** Whether the text travels as one SMS part. */
export function fitsOneSms(text: string): boolean {
  return text.length <= (GSM7.test(text) ? SMS_PART.gsm7 : SMS_PART.ucs2);
}
