import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import { readCursor, writeCursor } from "../../platform/http/cursor.ts";
import { fieldError } from "../../platform/http/errors.ts";
import type { Text } from "../../platform/http/locale.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { type Joined, type ListedUser, listUsers, type Order, type Position } from "./directory.store.ts";
import { type SearchPosition, searchUsers } from "./search.service.ts";
import { type StatusFilter, statusBucketsOf } from "./status-buckets.ts";

/** Number of users that page numbers reach; a cursor goes further. */
const MAX_REACH = 2000;

/** Whether a page number may be used for this page. */
export function isInReach(page: number, pageSize: number): boolean {
  return page * pageSize <= MAX_REACH;
}

/** Filters, order and position of a page of the directory. */
export interface DirectoryQuery {
  filter: StatusFilter;
  joined: Joined;
  order: Order;
  search: string | undefined;
  page: number | undefined;
  pageSize: number;
  cursor: string | undefined;
  /** Whether to show the summary of each user, too. */
  isExpanded: boolean;
}

/** A page of the directory. */
export interface Directory {
  results: ListedUser[];
  /** Undefined if the request has a cursor. */
  page: number | undefined;
  pageSize: number;
  /** Number of users that match the filter; undefined if counting them would require reading all of them. */
  total: number | undefined;
  hasNext: boolean;
  nextCursor: string | null;
  /** A note about the result for the reader. */
  note?: Text;
}

/** A page of the list or of the search; `next` is where the next page begins, undefined after the last. */
export interface Found<At> {
  users: ListedUser[];
  next: At | undefined;
  total: number | undefined;
  note?: Text;
}

/**
 * A page of the directory of users.
 *
 * @throws AppError `permission_denied`; `validation_error` for a cursor of another list, a page beyond the reach of
 *   page numbers, or both page and cursor.
 */
export async function listDirectory(deps: Deps, caller: StaffClaims, query: DirectoryQuery): Promise<Directory> {
  const { page = 1, pageSize, cursor } = query;
  if (cursor !== undefined && query.page !== undefined) {
    throw fieldError("page", "page_with_cursor");
  }
  if (!isInReach(page, pageSize)) {
    throw fieldError("page", "page_out_of_reach", { max: MAX_REACH });
  }
  const buckets = statusBucketsOf(query.filter);
  const { order, joined, search, isExpanded } = query;
  const range = { buckets, joined, size: pageSize, offset: (page - 1) * pageSize, isExpanded };
  const cursorQuery = [JSON.stringify([query.filter, joined, search === undefined ? order : search])];
  const found = search === undefined ? await listed() : await searched(search);
  const { next } = found;
  return {
    results: found.users,
    page: cursor === undefined ? page : undefined,
    pageSize,
    total: found.total,
    hasNext: next !== undefined,
    nextCursor: next === undefined ? null : await writeCursor(deps, cursorQuery, next),
    ...(found.note ? { note: found.note } : {}),
  };

  async function listed(): Promise<Found<Position>> {
    const after = await readCursor(deps, cursorQuery, cursor, z.tuple([z.union([z.string(), z.int()]), z.string()]));
    const { found, total, scannedTo } = await listUsers(deps, caller, { ...range, order, after });
    const shown = found.slice(0, pageSize);
    const isCounted = joined.from === undefined && joined.to === undefined;
    return {
      users: shown.map(({ user }) => user),
      next: found.length > pageSize ? shown.at(-1)?.position : scannedTo,
      total: isCounted ? total : undefined,
      ...(scannedTo ? { note: FEW_FIT } : {}),
    };
  }

  async function searched(typed: string): Promise<Found<SearchPosition>> {
    const after = await readCursor(deps, cursorQuery, cursor, z.tuple([z.int(), z.int()]));
    return { total: undefined, ...(await searchUsers(deps, caller, { ...range, typed, after })) };
  }
}

const FEW_FIT: Text = {
  en: "Few users match these dates in this order. Continue with next_cursor, or sort by date_joined.",
  ne: "यो क्रममा यी मिति मिल्ने प्रयोगकर्ता थोरै छन्। next_cursor बाट अगाडि बढ्नुहोस् वा date_joined अनुसार मिलाउनुहोस्।",
};
