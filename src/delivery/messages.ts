import type { NotificationType } from "../db/user-schema.ts";
import type { Locale } from "../platform/http/locale.ts";

/** What the SMS text of a one-time code contains besides the code. */
interface OtpTextSettings {
  appName: string;
  otpAutofillDomain: string;
  /** Hash of the Android app; undefined if it does not use the SMS Retriever API. */
  smsAndroidAppHash?: string | undefined;
}

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
): string {
  const autofill = `${hash ? `${hash}\n` : ""}@${otpAutofillDomain} #${code}`;
  return locale === "ne"
    ? `${appName} कोड ${code}${hash ? "" : ", ५ मिनेट मान्य"}\n${autofill}`
    : `${code} is your ${appName} code. It is valid for 5 minutes. Do not share it.\n\n${autofill}`;
}

/** The e-mail of a one-time code. Lock screens show the subject, so it does not contain the code. */
export function otpEmail(locale: Locale, app: { appName: string }, code: string): { title: string; text: string } {
  return locale === "ne"
    ? {
        title: `${app.appName} मा साइन इन गर्ने कोड`,
        text: `तपाईंको ${app.appName} कोड: ${code}\n\nयो ५ मिनेट मान्य छ। कसैलाई नदिनुहोस्। तपाईंले माग्नुभएको होइन भने यो इमेल बेवास्ता गर्नुहोस्।`,
      }
    : {
        title: `Your ${app.appName} sign-in code`,
        text: `Your ${app.appName} code: ${code}\n\nIt is valid for 5 minutes. Do not share it. If you did not request it, ignore this e-mail.`,
      };
}

/** Number of characters in one SMS: GSM-7 if the alphabet allows it, otherwise UCS-2 (3GPP TS 23.038). */
export const SMS_PART = { gsm7: 160, ucs2: 70 };

const GSM7 = /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ !"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]*$/;

/** Whether the text fits one SMS. */
export function fitsOneSms(text: string): boolean {
  return text.length <= (GSM7.test(text) ? SMS_PART.gsm7 : SMS_PART.ucs2);
}

/** Notifications shown in the app, and on the lock screen if pushed: no personal data (MASVS-STORAGE-2). */
export const notices = {
  NEW_DEVICE: {
    en: {
      title: "New sign-in",
      message:
        "Your account was just used to sign in on a new device. If this wasn't you, sign out that device in the app and contact support.",
    },
    ne: {
      title: "नयाँ साइन इन",
      message:
        "नयाँ डिभाइसबाट तपाईंको खातामा साइन इन भयो। तपाईं होइन भने एपबाट त्यो डिभाइस साइन आउट गर्नुहोस् र सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  LOCKOUT: {
    en: {
      title: "Too many wrong codes",
      message:
        "Someone entered too many wrong codes for your account, so we paused sign-in from their network. You are still signed in on your devices. Never share your codes.",
    },
    ne: {
      title: "धेरै पटक गलत कोड",
      message:
        "कसैले तपाईंको खातामा धेरै पटक गलत कोड हालेकाले त्यो नेटवर्कबाट साइन इन रोकिएको छ। तपाईंका डिभाइसमा साइन इन कायमै छ। आफ्नो कोड कसैलाई नदिनुहोस्।",
    },
  },
  SESSION_ENDED: {
    en: {
      title: "You were signed out",
      message:
        "We signed you out on one device because its session may have been copied. Sign in again there. If you notice anything unusual, contact support.",
    },
    ne: {
      title: "तपाईंलाई साइन आउट गरियो",
      message:
        "कसैले सत्र नक्कल गरेको हुन सक्ने भएकाले एउटा डिभाइसमा तपाईंलाई साइन आउट गरियो। त्यहाँ फेरि साइन इन गर्नुहोस्। केही शङ्का लागे सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  IDENTIFIER_CHANGED: {
    en: {
      title: "Sign-in details changed",
      message:
        "The e-mail address or phone number of your account was changed. If this wasn't you, contact support right away.",
    },
    ne: {
      title: "साइन इन विवरण परिवर्तन भयो",
      message: "तपाईंको खाताको इमेल वा फोन नम्बर परिवर्तन भयो। तपाईंले गर्नुभएको होइन भने तुरुन्त सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  ACCOUNT_LINKED: {
    en: {
      title: "New sign-in method",
      message:
        "A Google or Apple account was linked, so you can sign in with it. If this wasn't you, unlink it in the app and contact support.",
    },
    ne: {
      title: "साइन इन गर्ने नयाँ तरिका",
      message:
        "तपाईंको खातामा Google वा Apple खाता जोडियो, अब त्यसबाट साइन इन गर्न सकिन्छ। तपाईंले जोड्नुभएको होइन भने एपबाट हटाउनुहोस् र सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  ACCOUNT_UNLINKED: {
    en: {
      title: "Sign-in method removed",
      message:
        "A Google or Apple account was unlinked and can no longer be used to sign in. If this wasn't you, contact support.",
    },
    ne: {
      title: "साइन इन गर्ने तरिका हटाइयो",
      message:
        "तपाईंको खाताबाट Google वा Apple खाता हटाइयो, अब त्यसबाट साइन इन गर्न सकिँदैन। तपाईंले हटाउनुभएको होइन भने सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  WELCOME: {
    en: {
      title: "Welcome!",
      message: "Your account is ready. Complete your profile and verify your identity to rent a power bank.",
    },
    ne: {
      title: "स्वागत छ!",
      message: "तपाईंको खाता तयार छ। पावर बैंक भाडामा लिन प्रोफाइल पूरा गर्नुहोस् र परिचय प्रमाणित गर्नुहोस्।",
    },
  },
  DEACTIVATED: {
    en: {
      title: "Your account was deactivated",
      message: "You had not signed in for 180 days, so we deactivated your account. Sign in to reactivate it.",
    },
    ne: {
      title: "तपाईंको खाता निष्क्रिय भयो",
      message: "तपाईंले १८० दिनसम्म साइन इन नगर्नुभएकाले खाता निष्क्रिय गरियो। फेरि सक्रिय गर्न साइन इन गर्नुहोस्।",
    },
  },
  ACCOUNT_ACTIVATED: {
    en: { title: "Your account is active", message: "Your account was reactivated. You can sign in again." },
    ne: { title: "तपाईंको खाता सक्रिय छ", message: "तपाईंको खाता फेरि सक्रिय गरियो। अब साइन इन गर्न सक्नुहुन्छ।" },
  },
  ACCOUNT_DEACTIVATED: {
    en: {
      title: "Your account was deactivated",
      message: "Our support team deactivated your account. Contact support to reactivate it.",
    },
    ne: {
      title: "तपाईंको खाता निष्क्रिय गरियो",
      message: "सहायता टोलीले तपाईंको खाता निष्क्रिय गरेको छ। फेरि सक्रिय गर्न सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  ACCOUNT_BANNED: {
    en: {
      title: "Your account was closed",
      message: "We closed your account because it violated our terms. If you think this is a mistake, contact support.",
    },
    ne: {
      title: "तपाईंको खाता बन्द गरियो",
      message: "हाम्रा सर्तहरू उल्लङ्घन भएकाले तपाईंको खाता बन्द गरियो। गल्ती भएको लागे सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  KYC_APPROVED: {
    en: {
      title: "Identity verified",
      message: "We checked your documents and verified your identity. You can now rent a power bank.",
    },
    ne: {
      title: "परिचय प्रमाणित भयो",
      message: "हामीले तपाईंका कागजात जाँचेर परिचय प्रमाणित गर्‍यौँ। अब पावर बैंक भाडामा लिन सक्नुहुन्छ।",
    },
  },
  KYC_REJECTED: {
    en: {
      title: "Documents not accepted",
      message: "We could not accept your documents. Open the app to see why and upload them again.",
    },
    ne: {
      title: "कागजात स्वीकार भएनन्",
      message: "हामीले तपाईंका कागजात स्वीकार गर्न सकेनौँ। एप खोलेर कारण हेर्नुहोस् र फेरि अपलोड गर्नुहोस्।",
    },
  },
  KYC_REMINDER: {
    en: {
      title: "Verify your identity",
      message: "Your identity is not verified yet. Upload a photo of your identity document in the app.",
    },
    ne: {
      title: "परिचय प्रमाणित गर्नुहोस्",
      message: "तपाईंको परिचय अझै प्रमाणित भएको छैन। एपबाट आफ्नो परिचयपत्रको फोटो अपलोड गर्नुहोस्।",
    },
  },
  PROFILE_REMINDER: {
    en: {
      title: "Complete your profile",
      message: "Your profile is not complete yet. Add your full name, date of birth and address.",
    },
    ne: {
      title: "प्रोफाइल पूरा गर्नुहोस्",
      message: "तपाईंको प्रोफाइल अझै पूरा छैन। पूरा नाम, जन्म मिति र ठेगाना थप्नुहोस्।",
    },
  },
} as const satisfies Record<NotificationType, Record<Locale, { title: string; message: string }>>;

/** Text for the address or number that the account had before. Fits one SMS in either language. */
export function identifierChangedText(locale: Locale, { appName }: { appName: string }): string {
  return locale === "ne"
    ? `${appName}: साइन इन विवरण फेरियो। तपाईं होइन? खबर गर्नुहोस्।`
    : `${appName}: your sign-in details were changed. If this wasn't you, contact support right away.`;
}
