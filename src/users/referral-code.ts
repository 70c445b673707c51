import { cleanPasted } from "../platform/http/text.ts";

/**
 * A referral code as it was typed or pasted, in its stored form: ASCII letters in upper case and digits, without spaces,
 * hyphens and invisible characters.
 */
export const canonicalReferralCode = (given: string): string => cleanPasted(given).replace(/[\s-]/g, "").toUpperCase();
