import type { Deps } from "../../platform/deps.ts";
import type { Text } from "../../platform/http/locale.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { readIdentifier } from "../../users/identifier.ts";
import type { Joined } from "./directory.store.ts";
import { sortKeyOf } from "./search-sort-key.ts";
import { readPattern } from "./search-text.ts";
import { findNamed, findUsers } from "./user-lookup.store.ts";
import { findHits, type Hit } from "./user-search.store.ts";

export interface Search {
  typed: string;
  facets: readonly number[] | undefined;
  joined: Joined;
  size: number;
  /** Users of the pages before this one, where a page number leads here. */
  offset: number;
  /** Where the page before ended, where a cursor leads here. */
  before: number | undefined;
}

/**
 * Users whose username, e-mail address or number has what was typed as a part, newest first.
 *
 * The index is seconds behind; rows come from the primary, which also drops who is gone and applies the filters. Whoever
 * is named whole is looked up there, and stands on the first page: a user is found as soon as they exist.
 *
 * @returns the page, and where the next begins; undefined after the last. A page may be short although another follows.
 * @throws AppError `permission_denied`, `token_not_valid`, `service_unavailable` when either database fails.
 */
export async function searchUsers(deps: Deps, caller: StaffClaims, search: Search) {
  const { facets, joined, size, offset, before } = search;
  const pattern = readPattern(deps, search.typed);
  const named = await findNamed(deps, caller, pattern.text, readIdentifier(deps, search.typed));
  const reach = offset + size;
  const query = { pattern, facets, joined, before, reach };
  const { hits, scanEnd } = await findHits(deps, query);
  const own = named
    .map((user) => ({ userId: user.id, place: sortKeyOf(user) }))
    .sort((a, b) => b.place - a.place)
    .slice(0, size);
  const isOwn = ({ userId }: Hit) => own.some((each) => each.userId === userId);
  const others = hits.filter((hit) => !isOwn(hit));
  const all = before === undefined ? withNamed(own, others, size) : others;
  const page = all.slice(offset, reach);
  const ids = page.map(({ userId }) => userId);
  const found = await findUsers(deps, caller, ids, { facets, joined });
  const byId = new Map(found.map((user) => [user.id, user]));
  const lastShown = all.slice(0, reach).findLast((hit) => !isOwn(hit))?.place;
  // A later page may have dropped the last hits, who stood on the first.
  const end = hits.length > reach ? hits.at(-1)?.place : scanEnd;
  const next = all.length > reach ? (lastShown ?? (others[0]?.place ?? 0) + 1) : end;
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

/** The hits, and on the first page those who are named whole, at their places among its hits: newest first. */
function withNamed(own: readonly Hit[], others: readonly Hit[], size: number): Hit[] {
  const room = Math.max(0, size - own.length);
  const first = [...own, ...others.slice(0, room)].sort((a, b) => b.place - a.place);
  return [...first, ...others.slice(room)];
}
