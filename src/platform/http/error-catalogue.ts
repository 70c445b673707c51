import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Text } from "./locale.ts";

/** All error codes of the API with their HTTP status and message. */
export const errorCatalogue = {
  validation_error: {
    status: 400,
    message: { en: "Check the marked fields and try again.", ne: "चिन्ह लगाइएका विवरण जाँचेर फेरि प्रयास गर्नुहोस्।" },
  },
  invalid_otp: {
    status: 400,
    message: {
      en: "The code is wrong or has expired. Check it, or request a new one.",
      ne: "कोड गलत छ वा म्याद सकिएको छ। जाँच्नुहोस् वा नयाँ कोड माग्नुहोस्।",
    },
  },
  invalid_token: {
    status: 400,
    message: {
      en: "Your verification has expired. Request a new code and try again.",
      ne: "तपाईंको प्रमाणीकरणको म्याद सकियो। नयाँ कोड मागेर फेरि प्रयास गर्नुहोस्।",
    },
  },
  social_auth_failed: {
    status: 400,
    message: {
      en: "Sign-in failed. Try again, or choose another way to sign in.",
      ne: "साइन इन हुन सकेन। फेरि प्रयास गर्नुहोस् वा अर्को तरिका रोज्नुहोस्।",
    },
  },
  id_token_stale: {
    status: 400,
    message: {
      en: "This sign-in has expired or was already used. Sign in with Google or Apple again.",
      ne: "यो साइन इनको म्याद सकियो वा प्रयोग भइसक्यो। Google वा Apple बाट फेरि साइन इन गर्नुहोस्।",
    },
  },
  access_denied: {
    status: 400,
    message: {
      en: "You cancelled the sign-in. Try again when you are ready.",
      ne: "तपाईंले साइन इन रद्द गर्नुभयो। तयार भएपछि फेरि प्रयास गर्नुहोस्।",
    },
  },
  passkey_failed: {
    status: 400,
    message: {
      en: "The passkey could not be checked. Try again, or sign in another way.",
      ne: "पासकी जाँच्न सकिएन। फेरि प्रयास गर्नुहोस् वा अर्को तरिकाले साइन इन गर्नुहोस्।",
    },
  },
  passkey_unknown: {
    status: 400,
    message: {
      en: "This passkey belongs to no account. Sign in another way, and remove it from your device.",
      ne: "यो पासकी कुनै खाताको होइन। अर्को तरिकाले साइन इन गर्नुहोस् र डिभाइसबाट यसलाई हटाउनुहोस्।",
    },
  },
  refresh_token_required: {
    status: 400,
    message: { en: "Send the refresh token as refresh_token.", ne: "रिफ्रेस टोकन refresh_token मा पठाउनुहोस्।" },
  },
  authentication_required: {
    status: 401,
    message: { en: "Sign in to continue.", ne: "अगाडि बढ्न साइन इन गर्नुहोस्।" },
  },
  token_not_valid: {
    status: 401,
    message: { en: "The token is invalid. Refresh it and try again.", ne: "टोकन मान्य छैन। रिफ्रेस गरेर फेरि प्रयास गर्नुहोस्।" },
  },
  permission_denied: {
    status: 403,
    message: { en: "You do not have permission to do this.", ne: "तपाईंलाई यो गर्ने अनुमति छैन।" },
  },
  reauthentication_required: {
    status: 403,
    message: {
      en: "Confirm that it is you: sign in again, or verify a new code.",
      ne: "तपाईं नै हो भनी पुष्टि गर्नुहोस्: फेरि साइन इन गर्नुहोस् वा नयाँ कोड प्रमाणित गर्नुहोस्।",
    },
  },
  passkey_required: {
    status: 403,
    message: { en: "Confirm with your passkey first.", ne: "पहिले आफ्नो पासकीले पुष्टि गर्नुहोस्।" },
  },
  https_required: {
    status: 403,
    message: { en: "Use https.", ne: "https प्रयोग गर्नुहोस्।" },
  },
  account_inactive: {
    status: 403,
    message: {
      en: "This account has been deactivated. Contact support.",
      ne: "यो खाता निष्क्रिय गरिएको छ। सहायतालाई सम्पर्क गर्नुहोस्।",
    },
  },
  not_found: { status: 404, message: { en: "Not found.", ne: "भेटिएन।" } },
  user_not_found: {
    status: 404,
    message: {
      en: "There is no account with this email or phone number yet. Sign up instead.",
      ne: "यो इमेल वा फोन नम्बरको खाता छैन। नयाँ खाता खोल्नुहोस्।",
    },
  },
  method_not_allowed: {
    status: 405,
    message: { en: "This method is not allowed here.", ne: "यहाँ यो मेथड चल्दैन।" },
  },
  user_already_exists: {
    status: 409,
    message: {
      en: "There is already an account with this email or phone number. Log in instead.",
      ne: "यो इमेल वा फोन नम्बरको खाता पहिले नै छ। लग इन गर्नुहोस्।",
    },
  },
  identifier_replaced: {
    status: 409,
    message: {
      en: "This email or phone number was removed from an account less than 7 days ago. Wait, or undo that change if it was yours.",
      ne: "यो इमेल वा फोन नम्बर ७ दिनभित्र एउटा खाताबाट हटेको हो। पर्खनुहोस्, वा तपाईंकै हो भने फिर्ता गर्नुहोस्।",
    },
  },
  number_dormant: {
    status: 409,
    message: {
      en: "Nobody has used this account for a long time. Confirm its email address too, or start over with a new account.",
      ne: "यो खाता धेरै समयदेखि प्रयोग भएको छैन। यसको इमेल पनि प्रमाणित गर्नुहोस् वा नयाँ खाता खोल्नुहोस्।",
    },
  },
  username_taken: {
    status: 409,
    message: { en: "This username is taken. Choose another one.", ne: "यो प्रयोगकर्ता नाम लिइसकिएको छ। अर्को रोज्नुहोस्।" },
  },
  link_required: {
    status: 409,
    message: {
      en: "An account already uses this email address. Sign in with a one-time code, then link the provider.",
      ne: "यो इमेल ठेगाना अर्को खातामा छ। कोडबाट साइन इन गरेर यो तरिका जोड्नुहोस्।",
    },
  },
  open_rental: {
    status: 409,
    message: {
      en: "You still have a power bank. Return it first.",
      ne: "तपाईंसँग अझै पावर बैंक छ। पहिले फिर्ता गर्नुहोस्।",
    },
  },
  debt_due: {
    status: 409,
    message: {
      en: "Your wallet balance is negative. Pay what is due first.",
      ne: "तपाईंको वालेट ऋणात्मक छ। पहिले बाँकी रकम तिर्नुहोस्।",
    },
  },
  last_sign_in_method: {
    status: 409,
    message: {
      en: "This is your only way to sign in. Add another one first.",
      ne: "साइन इन गर्ने यो एउटै तरिका हो। पहिले अर्को थप्नुहोस्।",
    },
  },
  last_admin: {
    status: 409,
    message: {
      en: "This is the last admin. Make somebody else an admin first.",
      ne: "यो अन्तिम एडमिन हो। पहिले अरूलाई एडमिन बनाउनुहोस्।",
    },
  },
  kyc_already_approved: {
    status: 409,
    message: {
      en: "Your identity is already verified. Contact support to change it.",
      ne: "तपाईंको परिचय प्रमाणित भइसकेको छ। फेर्न सहायतालाई सम्पर्क गर्नुहोस्।",
    },
  },
  kyc_not_viewed: {
    status: 409,
    message: {
      en: "Open every document of this submission before you approve it.",
      ne: "स्वीकृत गर्नुअघि यसका सबै कागजात हेर्नुहोस्।",
    },
  },
  kyc_version_stale: {
    status: 409,
    message: {
      en: "The person submitted again. Load the new submission.",
      ne: "व्यक्तिले फेरि पठाएको छ। नयाँ कागजात खोल्नुहोस्।",
    },
  },
  provider_already_linked: {
    status: 409,
    message: {
      en: "Another account of this provider is linked already. Unlink that one first.",
      ne: "यस सेवाको अर्को खाता जोडिएको छ। पहिले त्यसलाई हटाउनुहोस्।",
    },
  },
  conflict: {
    status: 409,
    message: { en: "This is not possible right now.", ne: "यो अहिले गर्न सकिँदैन।" },
  },
  idempotency_key_reused: {
    status: 409,
    message: {
      en: "This Idempotency-Key was used for a different request. Use a new key.",
      ne: "यो Idempotency-Key अर्को अनुरोधमा प्रयोग भइसकेको छ। नयाँ key प्रयोग गर्नुहोस्।",
    },
  },
  payload_too_large: {
    status: 413,
    message: { en: "The request is too large.", ne: "अनुरोध धेरै ठूलो छ।" },
  },
  unsupported_media_type: {
    status: 415,
    message: {
      en: "Send application/json, application/x-www-form-urlencoded or multipart/form-data.",
      ne: "application/json, application/x-www-form-urlencoded वा multipart/form-data पठाउनुहोस्।",
    },
  },
  rate_limit_exceeded: {
    status: 429,
    message: {
      en: "Too many attempts. Wait a little and try again.",
      ne: "धेरै पटक प्रयास भयो। केही बेर पर्खेर फेरि प्रयास गर्नुहोस्।",
    },
  },
  internal_error: {
    status: 500,
    message: { en: "Something went wrong. Try again.", ne: "केही समस्या भयो। फेरि प्रयास गर्नुहोस्।" },
  },
  service_unavailable: {
    status: 503,
    message: {
      en: "The service is temporarily unavailable. Try again shortly.",
      ne: "सेवा केही बेरका लागि उपलब्ध छैन। एकछिनमा फेरि प्रयास गर्नुहोस्।",
    },
  },
} as const satisfies Record<string, { status: ContentfulStatusCode; message: Text }>;

export type ErrorCode = keyof typeof errorCatalogue;
