import type { Locale, Text } from "./locale.ts";

/**
 * All codes of field errors with their messages. A `{name}` in a message is replaced by the error's member of that
 * name.
 */
export const fieldErrorCatalogue = {
  required: { en: "This field is required.", ne: "यो विवरण आवश्यक छ।" },
  not_text: { en: "Must be text.", ne: "पाठ हुनुपर्छ।" },
  not_number: { en: "Must be a number.", ne: "सङ्ख्या हुनुपर्छ।" },
  not_whole_number: { en: "Must be a whole number.", ne: "पूर्ण सङ्ख्या हुनुपर्छ।" },
  not_boolean: { en: "Must be true or false.", ne: "true वा false हुनुपर्छ।" },
  not_date: { en: "Must be a date written as YYYY-MM-DD.", ne: "मिति YYYY-MM-DD ढाँचामा हुनुपर्छ।" },
  not_instant: {
    en: "Must be a date written as YYYY-MM-DD, or an ISO 8601 date and time.",
    ne: "मिति YYYY-MM-DD वा ISO 8601 ढाँचामा हुनुपर्छ।",
  },
  not_https_url: { en: "Must be an https:// address.", ne: "https:// बाट सुरु हुने ठेगाना हुनुपर्छ।" },
  not_id: { en: "Must be a UUID.", ne: "UUID हुनुपर्छ।" },
  too_short: { en: "Must have at least {min} characters.", ne: "कम्तीमा {min} अक्षर हुनुपर्छ।" },
  too_long: { en: "Must have at most {max} characters.", ne: "बढीमा {max} अक्षर हुनुपर्छ।" },
  too_small: { en: "Must be at least {min}.", ne: "कम्तीमा {min} हुनुपर्छ।" },
  too_large: { en: "Must be at most {max}.", ne: "बढीमा {max} हुनुपर्छ।" },
  not_allowed: { en: "Must be one of: {choices}.", ne: "यीमध्ये एक हुनुपर्छ: {choices}।" },
  invalid: { en: "This value is not valid.", ne: "यो मान मान्य छैन।" },
  control_characters: {
    en: "Must not contain control characters.",
    ne: "नदेखिने नियन्त्रण अक्षर हुनु हुँदैन।",
  },
  ill_formed: { en: "Contains broken characters. Type it again.", ne: "बिग्रिएका अक्षर छन्। फेरि टाइप गर्नुहोस्।" },
  blank: { en: "Must contain visible characters.", ne: "देखिने अक्षर हुनुपर्छ।" },
  not_utf8: { en: "Must be sent as UTF-8.", ne: "UTF-8 मा पठाउनुहोस्।" },
  transfer_encoding: {
    en: "Send this part as it is, without Content-Transfer-Encoding.",
    ne: "Content-Transfer-Encoding बिना जस्ताको तस्तै पठाउनुहोस्।",
  },
  sent_twice: { en: "Send this field only once.", ne: "यो विवरण एक पटक मात्र पठाउनुहोस्।" },

  not_email: { en: "Enter a valid email address.", ne: "सही इमेल ठेगाना हाल्नुहोस्।" },
  not_phone: { en: "Enter a valid phone number.", ne: "सही फोन नम्बर हाल्नुहोस्।" },
  not_identifier: {
    en: "Enter a valid email address or phone number.",
    ne: "सही इमेल ठेगाना वा फोन नम्बर हाल्नुहोस्।",
  },
  unknown_phone: {
    en: "This phone number does not exist. Check the digits.",
    ne: "यो फोन नम्बर छैन। अङ्कहरू जाँच्नुहोस्।",
  },
  country_not_supported: {
    en: "We cannot send text messages to this country yet. Use an email address instead.",
    ne: "यो देशमा अहिले SMS पठाउन सकिँदैन। इमेल ठेगाना प्रयोग गर्नुहोस्।",
  },
  not_mobile: {
    en: "Enter a mobile number. Only mobile numbers can receive the code.",
    ne: "मोबाइल नम्बर हाल्नुहोस्। कोड मोबाइल नम्बरमा मात्र आउँछ।",
  },
  not_otp: { en: "Enter the 6 digits of the code.", ne: "कोडका ६ अङ्क हाल्नुहोस्।" },
  username_characters: {
    en: "Use only letters, digits and @ . + - _",
    ne: "अक्षर, अङ्क र @ . + - _ मात्र प्रयोग गर्नुहोस्।",
  },
  username_reads_as_identifier: {
    en: "Choose a username that does not look like an email address, a phone number or an id.",
    ne: "इमेल ठेगाना, फोन नम्बर वा आईडी जस्तो नदेखिने प्रयोगकर्ता नाम रोज्नुहोस्।",
  },
  not_in_past: { en: "Must be a date in the past.", ne: "बितिसकेको मिति हुनुपर्छ।" },
  too_early: { en: "Must be {earliest} or later.", ne: "{earliest} वा त्यसपछिको हुनुपर्छ।" },
  no_letters_or_digits: {
    en: "Must contain letters or digits.",
    ne: "अक्षर वा अङ्क हुनुपर्छ।",
  },
  required_unless_active: {
    en: "Required unless status is ACTIVE.",
    ne: "status ACTIVE नभएमा यो आवश्यक छ।",
  },
  required_when_rejected: {
    en: "Required when status is REJECTED.",
    ne: "status REJECTED भएमा यो आवश्यक छ।",
  },
  required_for_identifier_change: {
    en: "Required when username, email or phone_number changes.",
    ne: "username, email वा phone_number फेर्दा यो आवश्यक छ।",
  },
  before_start: { en: "Must not be before start_date.", ne: "start_date भन्दा अघिको हुनु हुँदैन।" },
  page_out_of_reach: {
    en: "Page numbers reach only the first {max} users. Use cursor to go further.",
    ne: "पृष्ठले पहिला {max} प्रयोगकर्ता मात्र देखाउँछ। अगाडि जान cursor प्रयोग गर्नुहोस्।",
  },
  page_with_cursor: { en: "Send either page or cursor, not both.", ne: "page वा cursor मध्ये एउटा मात्र पठाउनुहोस्।" },
  two_proofs: {
    en: "Send either verification_token or credential, not both.",
    ne: "verification_token वा credential मध्ये एउटा मात्र पठाउनुहोस्।",
  },
  unknown_cursor: {
    en: "This cursor does not belong to this list. Start again from the first page.",
    ne: "यो cursor यस सूचीको होइन। पहिलो पृष्ठबाट फेरि सुरु गर्नुहोस्।",
  },
  not_ordering: {
    en: "Must be date_joined, last_login or username; prefix it with - for descending order.",
    ne: "date_joined, last_login वा username हुनुपर्छ; घट्दो क्रमका लागि अगाडि - राख्नुहोस्।",
  },
  not_idempotency_key: {
    en: "Must be 16 to 255 visible ASCII characters. Send a new UUID.",
    ne: "१६ देखि २५५ ASCII अक्षर हुनुपर्छ। नयाँ UUID पठाउनुहोस्।",
  },

  redirect_uri_not_allowed: {
    en: "This address is not registered for the app.",
    ne: "यो ठेगाना एपका लागि दर्ता गरिएको छैन।",
  },
  required_with_redirect_uri: {
    en: "Required when redirect_uri is sent.",
    ne: "redirect_uri पठाउँदा यो आवश्यक छ।",
  },
  not_code_challenge: { en: "Must be an S256 code challenge.", ne: "S256 code challenge हुनुपर्छ।" },
  not_code_verifier: { en: "Must be a PKCE code verifier.", ne: "PKCE code verifier हुनुपर्छ।" },

  file_required: { en: "This file is required.", ne: "यो फाइल आवश्यक छ।" },
  not_file: { en: "Send a file, as multipart/form-data.", ne: "multipart/form-data मा फाइल पठाउनुहोस्।" },
  file_empty: { en: "The file is empty. Choose it again.", ne: "फाइल खाली छ। फेरि छान्नुहोस्।" },
  file_damaged: {
    en: "The file is damaged or incomplete. Choose it again.",
    ne: "फाइल बिग्रिएको वा अपूरो छ। फेरि छान्नुहोस्।",
  },
  file_trailer: { en: "The file has extra data after its end.", ne: "फाइलको अन्त्यपछि थप डाटा छ।" },
  not_document: {
    en: "Send a JPEG, PNG or WebP picture, or a PDF.",
    ne: "JPEG, PNG वा WebP तस्बिर, वा PDF पठाउनुहोस्।",
  },
  picture_format: {
    en: "{format} pictures are not supported. On an iPhone choose Settings › Camera › Formats › Most Compatible and take the picture again, or convert it to JPEG in the app.",
    ne: "{format} तस्बिर स्वीकार हुँदैन। iPhone मा Settings › Camera › Formats › Most Compatible छानेर फेरि तस्बिर खिच्नुहोस्, वा एपमा JPEG मा बदल्नुहोस्।",
  },
  file_format: {
    en: "{format} files are not supported. Send a JPEG, PNG or WebP picture, or a PDF.",
    ne: "{format} फाइल स्वीकार हुँदैन। JPEG, PNG वा WebP तस्बिर, वा PDF पठाउनुहोस्।",
  },
  file_is_video: {
    en: "This is a video. Send a JPEG, PNG or WebP picture, or a PDF.",
    ne: "यो भिडियो हो। JPEG, PNG वा WebP तस्बिर, वा PDF पठाउनुहोस्।",
  },
  file_too_large: { en: "Must be at most {max} MB.", ne: "बढीमा {max} MB हुनुपर्छ।" },
  too_many_pixels: {
    en: "The picture is too large. Send one of at most {max} × {max} pixels.",
    ne: "तस्बिर धेरै ठूलो छ। बढीमा {max} × {max} पिक्सेलको पठाउनुहोस्।",
  },
  pdf_password: {
    en: "This PDF is protected by a password. Save a copy without the password, or send a picture of it.",
    ne: "यो PDF पासवर्डले सुरक्षित छ। पासवर्ड बिनाको प्रति वा तस्बिर पठाउनुहोस्।",
  },
  unsupported_jpeg: {
    en: "This kind of JPEG cannot be displayed. Send another picture.",
    ne: "यो किसिमको JPEG देखाउन सकिँदैन। अर्को तस्बिर पठाउनुहोस्।",
  },
  animated_picture: { en: "Send a still picture, not an animation.", ne: "चल्ने होइन, स्थिर तस्बिर पठाउनुहोस्।" },
} as const satisfies Record<string, Text>;

export type FieldErrorCode = keyof typeof fieldErrorCatalogue;

/** Error of one field: a code for the app, and the values that its message mentions. */
export interface FieldError {
  code: FieldErrorCode;
  /** Least length or value. */
  min?: number;
  /** Greatest length or value. */
  max?: number;
  /** Accepted values. */
  choices?: string[];
  /** Earliest accepted date. */
  earliest?: string;
  /** Detected format of a file. */
  format?: string;
}

/** Errors by field name. */
export type FieldErrors = Record<string, FieldError[]>;

/** The message of a field error in a language. */
export function fieldErrorText(error: FieldError, locale: Locale): string {
  const members: Record<string, unknown> = { ...error, choices: error.choices?.join(", ") };
  return fieldErrorCatalogue[error.code][locale].replace(/\{(\w+)\}/g, (_, name: string) => String(members[name]));
}

/** Sets the field error of a schema check, as its message: `z.string().regex(DIGITS, as("not_otp"))`. */
export const as = (code: FieldErrorCode): string => code;
