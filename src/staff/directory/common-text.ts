// Text that is common in names and addresses. For some of its trigrams the index lists half of all users.

/** Email providers. */
const DOMAINS = "@gmail.com @yahoo.com @hotmail.com @outlook.com @icloud.com";

/** Frequent names in Nepal, and the app's default username prefix. */
const NAMES = `user_ acharya adhikari aryal basnet bhandari bhattarai bista chaudhary chhetri dahal dhakal gautam ghimire giri
  gurung jha joshi karki khadka khanal koirala kumar lama limbu magar maharjan mahato neupane pandey paudel pokharel pradhan
  rai rana rawal regmi shah sharma sherpa shrestha singh subedi tamang thapa tiwari yadav aarati abhishek amrit anil anita
  arjun asha bibek bikash bishal deepak dinesh ganesh gita gopal hari kamala kiran krishna laxmi maya mohan nabin narayan
  niraj nisha prakash puja rajan rajendra rajesh ram ramesh roshan sagar sanjay santosh sarita shyam sita suman sunita suraj
  श्रेष्ठ थापा गुरुङ शर्मा अधिकारी तामाङ राई लामा पौडेल खड्का भट्टराई राम सीता हरि गीता कृष्ण लक्ष्मी`;

/** Commonness from which a trigram occurs for a large share of users: one email domain counts this much, a name 1. */
export const COMMON = 20;
/** First digits of Nepali mobile numbers. */
const RANGES = /^9[678]\d/;
/** The start of a domain after a local part that ends in a digit, as many do. */
const ADDRESS = /^\d@/;
const TRIGRAM = 3;

let counted: ReadonlyMap<string, number> | undefined;

/**
 * Estimated commonness of a trigram; 0 if no common name contains it. It affects only the cost of a search, never its
 * results.
 */
export function commonnessOf(trigram: string): number {
  if (isMobile(trigram)) return COMMON;
  if (ADDRESS.test(trigram)) return COMMON - 1;
  counted ??= count();
  return counted.get(trigram) ?? 0;
}

/** Whether a mobile number can begin with these three or more characters. */
export const isMobile = (text: string): boolean => RANGES.test(text);

/** The trigrams of a text in order, three characters each, as FTS5 counts them. */
export function trigramsOf(text: string): string[] {
  const characters = [...text];
  return characters.slice(TRIGRAM - 1).map((_, i) => characters.slice(i, i + TRIGRAM).join(""));
}

function count(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [words, weight] of [[DOMAINS, COMMON] as const, [NAMES, 1] as const]) {
    for (const trigram of words.split(/\s+/).flatMap(trigramsOf)) {
      counts.set(trigram, (counts.get(trigram) ?? 0) + weight);
    }
  }
  return counts;
}
