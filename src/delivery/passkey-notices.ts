import type { Locale } from "../platform/http/locale.ts";

/** Notifications about passkeys; part of `notices`. */
export const passkeyNotices = {
  PASSKEY_ADDED: {
    en: {
      title: "Passkey added",
      message:
        "A passkey was added to your account, so you can sign in with it. If this wasn't you, remove it in the app and contact support.",
    },
    ne: {
      title: "पासकी थपियो",
      message:
        "तपाईंको खातामा पासकी थपियो, अब त्यसबाट साइन इन गर्न सकिन्छ। तपाईंले थप्नुभएको होइन भने एपबाट हटाउनुहोस् र सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  PASSKEY_REMOVED: {
    en: {
      title: "Passkey removed",
      message:
        "A passkey was removed from your account and can no longer be used to sign in. If this wasn't you, contact support.",
    },
    ne: {
      title: "पासकी हटाइयो",
      message:
        "तपाईंको खाताको एउटा पासकी हटाइयो, अब त्यसबाट साइन इन गर्न सकिँदैन। तपाईंले हटाउनुभएको होइन भने सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  PASSKEY_SUSPECT: {
    en: {
      title: "Check your passkeys",
      message:
        "We refused a sign-in because a passkey of yours may have been copied. Remove that passkey in the app and add a new one. If you notice anything unusual, contact support.",
    },
    ne: {
      title: "आफ्ना पासकी जाँच्नुहोस्",
      message:
        "तपाईंको पासकी नक्कल भएको हुन सक्ने भएकाले एउटा साइन इन रोकियो। एपबाट त्यो पासकी हटाएर नयाँ थप्नुहोस्। केही शङ्का लागे सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  PASSKEYS_RESET: {
    en: {
      title: "Passkeys removed",
      message:
        "Our team removed all passkeys from your account and signed out your devices. If you did not ask for this, contact support right away.",
    },
    ne: {
      title: "पासकीहरू हटाइए",
      message:
        "हाम्रो टोलीले तपाईंको खाताका सबै पासकी हटाएर डिभाइसहरू साइन आउट गर्‍यो। तपाईंले भन्नुभएको होइन भने तुरुन्त सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  STAFF_PASSKEYS_RESET: {
    en: {
      title: "Passkeys of a colleague removed",
      message:
        "The passkeys of a staff account were removed, and its owner may add a new one. If you weren't expecting this, check the audit log.",
    },
    ne: {
      title: "सहकर्मीका पासकी हटाइए",
      message: "एउटा कर्मचारी खाताका पासकी हटाइए र नयाँ थप्न सकिन्छ। यसबारे थाहा छैन भने अडिट लग हेर्नुहोस्।",
    },
  },
} as const satisfies Record<string, Record<Locale, { title: string; message: string }>>;
