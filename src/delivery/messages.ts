import type { Locale } from "../platform/http/locale.ts";

/** What the SMS text of a one-time code contains besides the code. */
interface OtpTextSettings {
  appName: string;
  otpAutofillDomain: string;
  /** Hash of the Android app; undefined if it does not use the SMS Retriever API. */
  smsAndroidAppHash?: string | undefined;
}

/** What a code does. The message says so, to warn a person whom a stranger asks for the code. */
type CodeUse = "sign-in" | "change";

/**
 * The SMS text of a one-time code. Its last line is in the origin-bound format that phones fill in automatically
 * (`@domain #code`, WICG "Origin-bound one-time codes delivered via SMS"). The line before it is the hash by which
 * Android's SMS Retriever API recognizes messages for the app, if there is one; its position in the message is free.
 * English fits one SMS of 160 GSM-7 characters, Nepali one of 70 UCS-2 characters. Next to the hash, the Nepali text
 * has no room to say how long the code is valid; the app shows it.
 */
export function otpText(
  locale: Locale,
  { appName, otpAutofillDomain, smsAndroidAppHash: hash }: OtpTextSettings,
  code: string,
  use: CodeUse = "sign-in",
): string {
  const autofill = `${hash ? `${hash}\n` : ""}@${otpAutofillDomain} #${code}`;
  if (use === "change") {
    return locale === "ne"
      ? `${appName} ${hash ? "फेर्ने" : "विवरण फेर्ने कोड"} ${code}\n${autofill}`
      : `${code} changes the sign-in of a ${appName} account. Do not share it.\n\n${autofill}`;
  }
  return locale === "ne"
    ? `${appName} कोड ${code}${hash ? "" : ", ५ मिनेट मान्य"}\n${autofill}`
    : `${code} is your ${appName} code. It is valid for 5 minutes. Do not share it.\n\n${autofill}`;
}

/** The e-mail of a one-time code. Lock screens show the subject, so it does not contain the code. */
export function otpEmail(
  locale: Locale,
  app: { appName: string },
  code: string,
  use: CodeUse = "sign-in",
): { title: string; text: string } {
  if (use === "change") {
    return locale === "ne"
      ? {
          title: `${app.appName} को साइन इन विवरण फेर्ने कोड`,
          text: `${app.appName} खाताको साइन इन विवरण फेर्ने कोड: ${code}\n\nयो ५ मिनेट मान्य छ। कसैलाई नदिनुहोस्। तपाईंले माग्नुभएको होइन भने यो इमेल बेवास्ता गर्नुहोस्।`,
        }
      : {
          title: `Change the sign-in of a ${app.appName} account`,
          text: `This code changes the sign-in of a ${app.appName} account: ${code}\n\nIt is valid for 5 minutes. Do not share it. If you did not request it, ignore this email.`,
        };
  }
  return locale === "ne"
    ? {
        title: `${app.appName} मा साइन इन गर्ने कोड`,
        text: `तपाईंको ${app.appName} कोड: ${code}\n\nयो ५ मिनेट मान्य छ। कसैलाई नदिनुहोस्। तपाईंले माग्नुभएको होइन भने यो इमेल बेवास्ता गर्नुहोस्।`,
      }
    : {
        title: `Your ${app.appName} sign-in code`,
        text: `Your ${app.appName} code: ${code}\n\nIt is valid for 5 minutes. Do not share it. If you did not request it, ignore this email.`,
      };
}

/** Number of characters in one SMS: GSM-7 if the alphabet allows it, otherwise UCS-2 (3GPP TS 23.038). */
export const SMS_PART = { gsm7: 160, ucs2: 70 };

const GSM7 = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]*$/;

/** Whether the text fits one SMS. */
export function fitsOneSms(text: string): boolean {
  return text.length <= (GSM7.test(text) ? SMS_PART.gsm7 : SMS_PART.ucs2);
}
