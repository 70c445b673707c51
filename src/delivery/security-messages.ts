import type { Locale } from "../platform/http/locale.ts";
import { fitsOneSms } from "./messages.ts";

type Texts = Record<Locale, { title: string; text: (appName: string) => string }>;

/**
 * Messages to the verified addresses of an account about its security, with a title for e-mail. Each text fits one SMS
 * in either language with the longest app name.
 */
export const securityTexts = {
  /** To the account's other address. */
  IDENTIFIER_CHANGED: {
    en: {
      title: "Sign-in details changed",
      text: (app) => `${app}: your sign-in details were changed. If this wasn't you, contact support right away.`,
    },
    ne: {
      title: "साइन इन विवरण फेरियो",
      text: (app) => `${app}: साइन इन विवरण फेरियो। तपाईं होइन? खबर गर्नुहोस्।`,
    },
  },
  /** To the address or number that the account lost. */
  IDENTIFIER_LOST: {
    en: {
      title: "Your sign-in details were changed",
      text: (app) =>
        `${app}: you can no longer sign in with this contact. If this wasn't you, undo it in the app within 7 days.`,
    },
    ne: {
      title: "तपाईंको साइन इन विवरण फेरियो",
      text: (app) => `${app}: सम्पर्क फेरियो। होइन? ७ दिनभित्र एपमा भन्नुहोस्।`,
    },
  },
  IDENTITY_RESTORED: {
    en: {
      title: "Sign-in details restored",
      text: (app) => `${app}: a change to your sign-in details was undone. Sign in again.`,
    },
    ne: {
      title: "खाता पहिलेजस्तै भयो",
      text: (app) => `${app}: खाता पहिलेजस्तै भयो। फेरि साइन इन गर्नुहोस्।`,
    },
  },
  IDENTITY_HELD: {
    en: {
      title: "Your account is locked",
      text: (app) =>
        `${app}: your account was locked because a change of its sign-in details was disputed. Support will contact you.`,
    },
    ne: {
      title: "तपाईंको खाता रोक्का छ",
      text: (app) => `${app}: खाता रोक्का गरियो। सहायताले सम्पर्क गर्नेछ।`,
    },
  },
  PASSKEY_ADDED: {
    en: {
      title: "Passkey added",
      text: (app) => `${app}: a passkey was added to your account. If this wasn't you, remove it in the app.`,
    },
    ne: { title: "पासकी थपियो", text: (app) => `${app}: खातामा पासकी थपियो। होइन? एपबाट हटाउनुहोस्।` },
  },
  PASSKEY_REMOVED: {
    en: {
      title: "Passkey removed",
      text: (app) => `${app}: a passkey was removed from your account. If this wasn't you, contact support.`,
    },
    ne: { title: "पासकी हटाइयो", text: (app) => `${app}: पासकी हटाइयो। तपाईं होइन? खबर गर्नुहोस्।` },
  },
  PASSKEY_SUSPECT: {
    en: {
      title: "Check your passkeys",
      text: (app) => `${app}: a passkey of yours may have been copied. Remove it in the app and add a new one.`,
    },
    ne: { title: "आफ्ना पासकी जाँच्नुहोस्", text: (app) => `${app}: पासकी नक्कल भएको हुन सक्छ। एपबाट हटाउनुहोस्।` },
  },
  PASSKEYS_RESET: {
    en: {
      title: "Passkeys removed",
      text: (app) =>
        `${app}: all passkeys were removed from your account. If you did not ask for this, contact support.`,
    },
    ne: { title: "पासकीहरू हटाइए", text: (app) => `${app}: सबै पासकी हटाइए। भन्नुभएको होइन? खबर गर्नुहोस्।` },
  },
  NUMBER_RELEASED: {
    en: {
      title: "Phone number removed",
      text: (app) => `${app}: your phone number now signs in to another account. If this wasn't you, contact support.`,
    },
    ne: {
      title: "तपाईंको नम्बर खाताबाट हट्यो",
      text: (app) => `${app}: नम्बर अर्को खातामा गयो। सहायतालाई भन्नुहोस्।`,
    },
  },
} as const satisfies Record<string, Texts>;

/** A message about an account's security, by the name of its text. */
export type SecurityMessage = keyof typeof securityTexts;

interface Recipient {
  channel: "sms" | "email";
  locale: Locale;
}

/**
 * Builds a message with its title. It ends with the support contact (NIST SP 800-63B-4 section 4.6); an SMS omits it if
 * the text would then exceed one part.
 */
export function securityMessage(
  { appName, supportContact }: { appName: string; supportContact: string | undefined },
  name: SecurityMessage,
  { channel, locale }: Recipient,
): { title: string; text: string } {
  const { title, text } = securityTexts[name][locale];
  const plain = text(appName);
  const whole = supportContact === undefined ? plain : `${plain} ${supportContact}`;
  return { title, text: channel === "email" || fitsOneSms(whole) ? whole : plain };
}
