import { cleanPasted } from "../platform/http/text.ts";

/**
 * The stored form of a referral code as it was typed or pasted: upper case, ASCII digits, and no spaces, hyphens or
 * invisible characters.
 */
export const canonicalReferralCode = (given: string): string => cleanPasted(given).replace(/[\s-]/g, "").toUpperCase();
