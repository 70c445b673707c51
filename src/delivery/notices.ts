import type { NotificationType } from "../db/user-schema.ts";
import type { Locale } from "../platform/http/locale.ts";
import { appleNotices } from "./apple-notices.ts";
import { passkeyNotices } from "./passkey-notices.ts";

/** Notifications shown in the app, and on the lock screen if pushed: no personal data (MASVS-STORAGE-2). */
export const notices = {
  NEW_DEVICE: {
    en: {
      title: "New sign-in",
      message:
        "Your account was just used to sign in from a new device or network. If this wasn't you, sign out that device in the app and contact support.",
    },
    ne: {
      title: "नयाँ साइन इन",
      message:
        "नयाँ डिभाइस वा नेटवर्कबाट तपाईंको खातामा साइन इन भयो। तपाईं होइन भने एपबाट त्यो डिभाइस साइन आउट गर्नुहोस् र सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
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
        "The email address or phone number of your account was changed. If this wasn't you, contact support right away.",
    },
    ne: {
      title: "साइन इन विवरण परिवर्तन भयो",
      message: "तपाईंको खाताको इमेल वा फोन नम्बर परिवर्तन भयो। तपाईंले गर्नुभएको होइन भने तुरुन्त सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  IDENTITY_RESTORED: {
    en: {
      title: "Sign-in details restored",
      message:
        "Changes to your sign-in details were undone, and all devices were signed out. If this wasn't you, contact support.",
    },
    ne: {
      title: "खाता पहिलेजस्तै भयो",
      message:
        "तपाईंका साइन इन विवरणको परिवर्तन फिर्ता भयो र सबै डिभाइस साइन आउट गरिए। तपाईं होइन भने सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  IDENTITY_HELD: {
    en: {
      title: "Your account is locked",
      message:
        "Somebody with your account's previous email address or phone number disputed the change. Our support team will contact you.",
    },
    ne: {
      title: "तपाईंको खाता रोक्का छ",
      message: "पहिलेको इमेल वा फोन नम्बर भएको व्यक्तिले परिवर्तनमा आपत्ति जनायो। सहायता टोलीले सम्पर्क गर्नेछ।",
    },
  },
  NUMBER_RELEASED: {
    en: {
      title: "Phone number removed",
      message:
        "Somebody else now has this phone number and signs in to another account with it. If the number is still yours, contact support.",
    },
    ne: {
      title: "तपाईंको नम्बर खाताबाट हट्यो",
      message: "यो फोन नम्बर अब अर्को खातामा छ। नम्बर अझै तपाईंकै हो भने सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  DATA_EXPORTED: {
    en: {
      title: "Your data was exported",
      message: "A copy of your data was downloaded. If this wasn't you, sign out other devices and contact support.",
    },
    ne: {
      title: "तपाईंको डाटा डाउनलोड भयो",
      message:
        "तपाईंको डाटाको प्रतिलिपि डाउनलोड गरियो। तपाईं होइन भने अरू डिभाइस साइन आउट गर्नुहोस् र सहायता टोलीलाई सम्पर्क गर्नुहोस्।",
    },
  },
  ...passkeyNotices,
  ...appleNotices,
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
