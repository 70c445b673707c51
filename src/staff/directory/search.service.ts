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

/** The text, filters and position of a page of search results. */
export interface Search {
  typed: string;
  buckets: readonly number[] | undefined;
  joined: Joined;
  size: number;
  /** Number of users on earlier pages, for a page number. */
  offset: number;
  /** Where the previous page ended, for a cursor. */
  before: number | undefined;
  /** Whether to read the summary of each user, too. */
  isExpanded: boolean;
}

/**
 * Users whose username, email address or number contains the typed text, or whose name has its words, newest first.
 *
 * The index is seconds behind. The rows come from the primary, which also drops deleted users and applies the filters.
 * Users named in full, also by a referral code or document number, are looked up in the primary and are on the first
 * page, so that a new user is found immediately.
 *
 * @returns the page, and where the next begins; undefined after the last. A page may be short although another follows.
 * @throws AppError `permission_denied`; `token_not_valid`; `service_unavailable` if either database fails.
 */
export async function searchUsers(deps: Deps, caller: StaffClaims, search: Search) {
  const { buckets, joined, size, offset, before, isExpanded } = search;
  const pattern = readPattern(deps, search.typed);
  const identifier = readIdentifier(deps, search.typed);
  const named = await findNamed(deps, caller, {
    text: pattern.text,
    identifier,
    documentIndex: await indexNumber(deps, search.typed),
  });
  const reach = offset + size;
  const query = { pattern, buckets, joined, before, reach };
  const { hits, scanEnd } = await findHits(deps, query);
  const own = named.users
    .map((user) => ({ userId: user.id, sortKey: sortKeyOf(user) }))
    .sort((a, b) => b.sortKey - a.sortKey)
    .slice(0, size);
  const isOwn = ({ userId }: Hit) => own.some((each) => each.userId === userId);
  const others = hits.filter((hit) => !isOwn(hit));
  const all = before === undefined ? withNamed(own, others, size) : others;
  const page = all.slice(offset, reach);
  const ids = page.map(({ userId }) => userId);
  const found = await findUsers(deps, caller, ids, { buckets, joined, isExpanded });
  const whole = { identifier, documentOwners: named.documentOwners };
  const byId = new Map(found.map((user) => [user.id, { ...user, matched: matchedField(pattern, whole, user) }]));
  const lastShown = all.slice(0, reach).findLast((hit) => !isOwn(hit))?.sortKey;
  // A later page may have dropped the last hits because the first page already showed them.
  const end = hits.length > reach ? hits.at(-1)?.sortKey : scanEnd;
  const next = all.length > reach ? (lastShown ?? (others[0]?.sortKey ?? 0) + 1) : end;
  const note = pattern.isShort ? SHORT : scanEnd === undefined ? undefined : CUT;
  return { users: page.flatMap(({ userId }) => byId.get(userId) ?? []), next, ...(note ? { note } : {}) };
}

const SHORT: Text = {
  en: "Fewer than three characters match only the beginning of usernames, email addresses and phone numbers.",
  ne: "तीन अक्षरभन्दा कममा प्रयोगकर्ता नाम, इमेल र फोन नम्बरको सुरु मात्र खोजिन्छ।",
};
const CUT: Text = {
  en: "This page may be incomplete. Continue with next_cursor.",
  ne: "यो पृष्ठ अपूरो हुन सक्छ। next_cursor बाट अगाडि बढ्नुहोस्।",
};

/** The hits, and on the first page also the users named in full, merged newest first. */
function withNamed(own: readonly Hit[], others: readonly Hit[], size: number): Hit[] {
  const room = Math.max(0, size - own.length);
  const first = [...own, ...others.slice(0, room)].sort((a, b) => b.sortKey - a.sortKey);
  return [...first, ...others.slice(room)];
}
