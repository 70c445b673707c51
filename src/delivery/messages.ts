import type { Locale } from "../platform/http/locale.ts";

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

/** What a person reads in the app, and on the locked screen where it is pushed: nothing personal (MASVS-STORAGE-2). */
export const notices = {
  NEW_DEVICE: {
    en: {
      title: "New sign-in",
      message:
        "Your account was signed in to from a device we had not seen before. If it was not you, end that session in the app and contact support.",
    },
    ne: {
      title: "नयाँ साइन इन",
      message:
        "पहिले नदेखिएको यन्त्रबाट तपाईंको खातामा साइन इन भयो। तपाईं होइन भने एपबाट त्यो सत्र अन्त्य गर्नुहोस् र सहायतालाई सम्पर्क गर्नुहोस्।",
    },
  },
  LOCKOUT: {
    en: {
      title: "Wrong codes",
      message:
        "Too many wrong codes were entered for your account, so sign-in from there is paused. You stay signed in. Never give your code to anyone.",
    },
    ne: {
      title: "गलत कोडहरू",
      message:
        "तपाईंको खाताका लागि धेरै गलत कोड हालिए, त्यसैले त्यहाँबाट साइन इन रोकिएको छ। तपाईं साइन इन नै हुनुहुन्छ। आफ्नो कोड कसैलाई नदिनुहोस्।",
    },
  },
  SESSION_ENDED: {
    en: {
      title: "A session was ended",
      message:
        "A key of one of your sessions was used twice, which can mean that somebody copied it. We ended that session; sign in again there.",
    },
    ne: {
      title: "एउटा सत्र अन्त्य गरियो",
      message:
        "तपाईंको एउटा सत्रको साँचो दुई पटक प्रयोग भयो, कसैले नक्कल गरेको हुन सक्छ। हामीले त्यो सत्र अन्त्य गर्‍यौं; त्यहाँ फेरि साइन इन गर्नुहोस्।",
    },
  },
  IDENTIFIER_CHANGED: {
    en: {
      title: "Sign-in details changed",
      message:
        "The e-mail address or phone number of your account was changed. If you did not ask for it, contact support at once.",
    },
    ne: {
      title: "साइन इन विवरण फेरियो",
      message: "तपाईंको खाताको इमेल वा फोन नम्बर फेरियो। तपाईंले माग्नुभएको होइन भने तुरुन्त सहायतालाई सम्पर्क गर्नुहोस्।",
    },
  },
  ACCOUNT_LINKED: {
    en: {
      title: "Sign-in linked",
      message:
        "A Google or Apple account can now sign in to yours. If you did not link it, unlink it and contact support.",
    },
    ne: {
      title: "साइन इन जोडियो",
      message:
        "अब Google वा Apple खाताले तपाईंको खातामा साइन इन गर्न सक्छ। तपाईंले जोड्नुभएको होइन भने हटाउनुहोस् र सहायतालाई सम्पर्क गर्नुहोस्।",
    },
  },
  ACCOUNT_UNLINKED: {
    en: {
      title: "Sign-in unlinked",
      message: "A Google or Apple account can no longer sign in to yours. If it was not you, contact support.",
    },
    ne: {
      title: "साइन इन हटाइयो",
      message: "अब त्यो Google वा Apple खाताले तपाईंको खातामा साइन इन गर्न सक्दैन। तपाईं होइन भने सहायतालाई सम्पर्क गर्नुहोस्।",
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
      title: "Your account sleeps",
      message:
        "You had not signed in for 180 days, so your account was deactivated. It is active again once you sign in.",
    },
    ne: {
      title: "तपाईंको खाता निष्क्रिय छ",
      message: "तपाईंले १८० दिनसम्म साइन इन नगर्नुभएकाले खाता निष्क्रिय गरियो। साइन इन गरेपछि फेरि सक्रिय हुन्छ।",
    },
  },
  ACCOUNT_ACTIVATED: {
    en: { title: "Your account is active", message: "You can sign in and use your account again." },
    ne: { title: "तपाईंको खाता सक्रिय छ", message: "अब तपाईं फेरि साइन इन गरी खाता प्रयोग गर्न सक्नुहुन्छ।" },
  },
  ACCOUNT_DEACTIVATED: {
    en: {
      title: "Your account was deactivated",
      message: "Support has deactivated your account. Contact us to use it again.",
    },
    ne: {
      title: "तपाईंको खाता निष्क्रिय गरियो",
      message: "सहायता टोलीले तपाईंको खाता निष्क्रिय गरेको छ। फेरि प्रयोग गर्न सहायतालाई सम्पर्क गर्नुहोस्।",
    },
  },
  ACCOUNT_BANNED: {
    en: {
      title: "Your account was closed",
      message: "Your account was closed for breaking the rules. Contact support if you disagree.",
    },
    ne: {
      title: "तपाईंको खाता बन्द गरियो",
      message: "नियम उल्लङ्घनका कारण तपाईंको खाता बन्द गरियो। असहमत हुनुहुन्छ भने सहायतालाई सम्पर्क गर्नुहोस्।",
    },
  },
  KYC_APPROVED: {
    en: { title: "Identity verified", message: "Your documents were checked and your identity is verified." },
    ne: { title: "परिचय प्रमाणित भयो", message: "तपाईंका कागजात जाँचिए र तपाईंको परिचय प्रमाणित भयो।" },
  },
  KYC_REJECTED: {
    en: {
      title: "Documents not accepted",
      message: "Your documents could not be accepted. Open the app to see why, and send them again.",
    },
    ne: {
      title: "कागजात स्वीकार भएनन्",
      message: "तपाईंका कागजात स्वीकार गर्न सकिएन। कारण हेर्न एप खोल्नुहोस् र फेरि पठाउनुहोस्।",
    },
  },
  KYC_REMINDER: {
    en: {
      title: "Verify your identity",
      message: "Your identity is not verified yet. Send a picture of your document in the app.",
    },
    ne: {
      title: "परिचय प्रमाणित गर्नुहोस्",
      message: "तपाईंको परिचय अझै प्रमाणित भएको छैन। एपबाट आफ्नो कागजातको तस्बिर पठाउनुहोस्।",
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
} as const satisfies Record<string, Record<Locale, { title: string; message: string }>>;

/** To the address or number that an account had before: one SMS part, also in UCS-2. */
export function identifierChangedText(locale: Locale, { appName }: { appName: string }): string {
  return locale === "ne"
    ? `${appName}: खाताको सम्पर्क फेरियो। तपाईं होइन? सहायतालाई भन्नुहोस्।`
    : `${appName}: the sign-in details of your account were changed. If you did not ask for it, contact support at once.`;
}
