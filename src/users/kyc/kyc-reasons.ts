// Data without imports, because the staff console reads this file too.

/** Why a KYC is rejected, as reviewers choose it and people read it. The order is that of the console's keys 1 to 9. */
export const kycReasons = [
  {
    code: "UNREADABLE",
    en: "The picture is too blurred, dark or small to read. Take it again in good light.",
    ne: "तस्बिर धमिलो, अँध्यारो वा सानो भएर पढ्न सकिएन। उज्यालोमा फेरि खिच्नुहोस्।",
  },
  {
    code: "INCOMPLETE",
    en: "Part of the document is cut off or covered. Show all four corners.",
    ne: "कागजातको केही भाग काटिएको वा छोपिएको छ। चारै कुना देखिने गरी खिच्नुहोस्।",
  },
  {
    code: "BACK_MISSING",
    en: "The back of the document is missing. Send both sides.",
    ne: "कागजातको पछाडिको भाग छैन। दुवै भाग पठाउनुहोस्।",
  },
  {
    code: "WRONG_DOCUMENT",
    en: "This is not a document that we accept. Send your citizenship certificate, passport or driving licence.",
    ne: "यो हामीले स्वीकार गर्ने कागजात होइन। नागरिकता, राहदानी वा सवारी चालक अनुमतिपत्र पठाउनुहोस्।",
  },
  {
    code: "NUMBER_MISMATCH",
    en: "The number that you typed differs from the one on the document. Check it and send it again.",
    ne: "तपाईंले लेखेको नम्बर कागजातको नम्बरसँग मिलेन। जाँचेर फेरि पठाउनुहोस्।",
  },
  {
    code: "NAME_MISMATCH",
    en: "The name in your profile differs from the one on the document. Correct your profile and send it again.",
    ne: "प्रोफाइलको नाम कागजातको नामसँग मिलेन। प्रोफाइल सच्याएर फेरि पठाउनुहोस्।",
  },
  {
    code: "BIRTH_DATE_MISMATCH",
    en: "The date of birth in your profile differs from the one on the document. Correct your profile and send it again.",
    ne: "प्रोफाइलको जन्म मिति कागजातको मितिसँग मिलेन। प्रोफाइल सच्याएर फेरि पठाउनुहोस्।",
  },
  {
    code: "EXPIRED",
    en: "The document has expired. Send one that is valid.",
    ne: "कागजातको म्याद सकिएको छ। म्याद भएको कागजात पठाउनुहोस्।",
  },
  {
    code: "NOT_GENUINE",
    en: "We could not confirm that the document is genuine. Send a picture of the original, or contact support.",
    ne: "कागजात सक्कली भएको पुष्टि हुन सकेन। सक्कलको तस्बिर पठाउनुहोस् वा सहायतामा सम्पर्क गर्नुहोस्।",
  },
] as const;

/** Code of a reason for rejection. */
export type KycReasonCode = (typeof kycReasons)[number]["code"];
