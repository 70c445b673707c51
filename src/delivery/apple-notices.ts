import type { Locale } from "../platform/http/locale.ts";

/** Notifications about what Apple reports; part of `notices`. */
export const appleNotices = {
  APPLE_MAIL_STOPPED: {
    en: {
      title: "Your email isn't reaching you",
      message: "Apple no longer forwards email to you. Add another email address or a phone number in the app.",
    },
    ne: {
      title: "तपाईंको इमेल आउँदैन",
      message: "Apple ले अब तपाईंलाई इमेल पठाउँदैन। एपमा अर्को इमेल वा फोन नम्बर थप्नुहोस्।",
    },
  },
  APPLE_REVOKED: {
    en: {
      title: "Sign in with Apple was turned off",
      message:
        "You can no longer sign in here with your Apple account, and devices that signed in with it were signed out. If this wasn't you, contact support.",
    },
    ne: {
      title: "Apple बाट साइन इन बन्द भयो",
      message:
        "तपाईंको Apple खाताबाट अब यहाँ साइन इन हुँदैन र त्यसबाट साइन इन भएका डिभाइस साइन आउट गरिए। तपाईंले गर्नुभएको होइन भने सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
} as const satisfies Record<string, Record<Locale, { title: string; message: string }>>;
