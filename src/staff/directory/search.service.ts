import type { Deps } from "../../platform/deps.ts";
import type { Text } from "../../platform/http/locale.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { readIdentifier } from "../../users/identifier.ts";
import { indexNumber } from "../../users/kyc/kyc-number.ts";
import type { Joined } from "./directory.store.ts";
import { matchedField } from "./search-match.ts";
import { sortKeyOf } from "./search-sort-key.ts";
import { readPattern } from "./search-text.ts";
import { findNamed, findUsers } from "./user-lookup.store.ts";
import { findHits, type Hit } from "./user-search.store.ts";

/** Where a page of a search ended: only entries and users named in full below these sort keys follow. */
export type SearchPosition = readonly [entries: number, named: number];

/** The text, filters and position of a page of search results. */
export interface Search {
  typed: string;
  buckets: readonly number[] | undefined;
  joined: Joined;
  size: number;
  /** Number of users on earlier pages, for a page number. */
  offset: number;
  /** Where the previous page ended, for a cursor. */
  after: SearchPosition | undefined;
  /** Whether to read the summary of each user, too. */
  isExpanded: boolean;
}

/**
 * Users whose username, email address or number contains the typed text, or whose name has its words, newest first.
 *
 * The index is seconds behind. The rows come from the primary, which also drops deleted users and applies the filters.
 * Users named in full, also by a referral code or document number, are looked up in the primary and come first, newest
 * first, so that a new user is found immediately. Usually all of them are on the first page.
 *
 * @returns the page, and where the next begins; undefined after the last. A page may be short although another follows.
 * @throws AppError `permission_denied`; `token_not_valid`; `service_unavailable` if either database fails.
 */
export async function searchUsers(deps: Deps, caller: StaffClaims, search: Search) {
  const { buckets, joined, size, offset, after, isExpanded } = search;
  const pattern = readPattern(deps, search.typed);
  const identifier = readIdentifier(deps, search.typed);
  const whole = { text: pattern.text, identifier, documentIndex: await indexNumber(deps, search.typed) };
  const filter = { buckets, joined, isExpanded };
  const named = await findNamed(deps, caller, whole, filter);
  const reach = offset + size;
  const { hits, scanEnd } = await findHits(deps, { pattern, buckets, joined, before: after?.[0], reach });
  const own = named.users
    .map((user) => ({ userId: user.id, sortKey: sortKeyOf(user) }))
    .sort((a, b) => b.sortKey - a.sortKey);
  const isOwn = ({ userId }: Hit) => own.some((each) => each.userId === userId);
  const others = hits.filter((hit) => !isOwn(hit));
  const ownLeft = own.filter(({ sortKey }) => after === undefined || sortKey < after[1]);
  const all = [...ownLeft, ...others];
  const page = all.slice(offset, reach).sort((a, b) => b.sortKey - a.sortKey);
  const ids = page.map(({ userId }) => userId);
  const found = await findUsers(deps, caller, ids, filter);
  const complete = { identifier, documentOwners: named.documentOwners };
  const byId = new Map(found.map((user) => [user.id, { ...user, matched: matchedField(pattern, complete, user) }]));
  // A later page may have dropped the last hits because an earlier one already showed them.
  const end = hits.length > reach ? hits.at(-1)?.sortKey : scanEnd;
  const lastShown = all.slice(ownLeft.length, reach).at(-1)?.sortKey;
  const beforeOthers = others[0] ? others[0].sortKey + 1 : (end ?? 0);
  const entries = all.length > reach ? (lastShown ?? beforeOthers) : end;
  const next = entries === undefined ? undefined : ([entries, ownLeft[reach - 1]?.sortKey ?? 0] as const);
  const note = pattern.isShort ? SHORT : scanEnd === undefined ? undefined : CUT;
  return { users: page.flatMap(({ userId }) => byId.get(userId) ?? []), next, ...(note ? { note } : {}) };
}

const SHORT: Text = {
  en: "Fewer than three characters match only the beginning of usernames, email addresses, phone numbers and names.",
  ne: "तीन अक्षरभन्दा कममा प्रयोगकर्ता नाम, इमेल, फोन नम्बर र नामका शब्दहरूको सुरु मात्र खोजिन्छ।",
};
const CUT: Text = {
  en: "This page may be incomplete. Continue with next_cursor.",
  ne: "यो पृष्ठ अपूरो हुन सक्छ। next_cursor बाट अगाडि बढ्नुहोस्।",
};
