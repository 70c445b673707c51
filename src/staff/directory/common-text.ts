// What a great part of users has in their name or address. An index of trigrams lists half the table for some of them.

/** Providers of e-mail. */
const DOMAINS = "@gmail.com @yahoo.com @hotmail.com @outlook.com @icloud.com";

/** Names that are frequent in Nepal, and what the app itself calls whoever chose none. */
const NAMES = `user_ acharya adhikari aryal basnet bhandari bhattarai bista chaudhary chhetri dahal dhakal gautam ghimire giri
  gurung jha joshi karki khadka khanal koirala kumar lama limbu magar maharjan mahato neupane pandey paudel pokharel pradhan
  rai rana rawal regmi shah sharma sherpa shrestha singh subedi tamang thapa tiwari yadav aarati abhishek amrit anil anita
  arjun asha bibek bikash bishal deepak dinesh ganesh gita gopal hari kamala kiran krishna laxmi maya mohan nabin narayan
  niraj nisha prakash puja rajan rajendra rajesh ram ramesh roshan sagar sanjay santosh sarita shyam sita suman sunita suraj
  श्रेष्ठ थापा गुरुङ शर्मा अधिकारी तामाङ राई लामा पौडेल खड्का भट्टराई राम सीता हरि गीता कृष्ण लक्ष्मी`;

/** From so much on a trigram is in a good part of all users: a domain is in more of them than a name by so much. */
export const COMMON = 20;
/** What mobile numbers of Nepal begin with. */
const RANGES = /^9[678]\d/;
/** Of an address whose local part ends in a digit, as many do. */
const ADDRESS = /^\d@/;
const TRIGRAM = 3;

let counted: ReadonlyMap<string, number> | undefined;

/** How common a trigram is, from 0 for one of no common name on; a guess, which decides what a search costs and never what it finds. */
export function commonnessOf(trigram: string): number {
  if (isMobile(trigram)) return COMMON;
  if (ADDRESS.test(trigram)) return COMMON - 1;
  counted ??= count();
  return counted.get(trigram) ?? 0;
}

/** Whether a mobile number may begin with these three characters or more. */
export const isMobile = (text: string): boolean => RANGES.test(text);

/** The trigrams of a text, in their order; each of three characters, as FTS5 counts them. */
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
