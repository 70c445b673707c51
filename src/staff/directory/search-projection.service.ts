import type { Deps } from "../../platform/deps.ts";
import { MINUTE_MS } from "../../platform/time.ts";
import {
  findProjected,
  GONE_VERSION,
  listEntries,
  listProjected,
  listUnindexed,
  type NewEntry,
  type ProjectedUser,
  writeEntries,
} from "./search-projection.store.ts";
import { sortKeyOf } from "./search-sort-key.ts";
import { searchTextOf } from "./search-text.ts";

type ProjectionDeps = Pick<Deps, "db" | "searchDb" | "now" | "invocationId" | "log">;

/** The projection is seconds behind, so newer changes do not count as drift. */
const SETTLED_MS = 10 * MINUTE_MS;

/**
 * Updates the search entries of at most 200 users from the primary. Late, duplicate and reordered calls are harmless:
 * an older version never replaces a newer one, and deleted users do not come back.
 *
 * @returns the number of entries written.
 */
export async function projectUsers(deps: ProjectionDeps, userIds: readonly string[]): Promise<number> {
  const ids = [...new Set(userIds)];
  const found = await findProjected(deps, ids);
  const known = new Set(found.map(({ id }) => id));
  const gone = ids.filter((id) => !known.has(id));
  const written = await writeEntries(deps, [...found.map(entryOf), ...gone.map((id) => goneEntry(id, deps.now()))]);
  return written.length;
}

/** The result of comparing a range of the projection with the primary. */
export interface Compared {
  /** Users whose entries were written. */
  corrected: string[];
  /** The last id of the range; undefined if no users follow. */
  next: string | undefined;
}

/**
 * Compares the entries of at most `count` users after `after`, in id order, with the primary, and writes those that
 * differ, are missing or belong to deleted users; with `isWhole`, all of them, also those marked as deleted whose users
 * exist again because a restore was undone. Entries are read before the primary, so a greater version in an entry means
 * that the primary was restored.
 */
export async function compareEntries(
  deps: ProjectionDeps,
  after: string,
  count: number,
  isWhole: boolean,
): Promise<Compared> {
  const listed = await listEntries(deps, after, count);
  const lastEntry = listed.length === count ? listed.at(-1)?.userId : undefined;
  const entries = listed.filter(({ removedAt }) => isWhole || removedAt === null);
  const users = await listProjected(deps, after, lastEntry, count);
  const upTo = users.length === count ? users.at(-1)?.id : lastEntry;
  const compared = upTo === undefined ? entries : entries.filter(({ userId }) => userId <= upTo);
  const unindexed = new Set(
    isWhole
      ? []
      : await listUnindexed(
          deps,
          compared.map(({ sortKey }) => sortKey),
        ),
  );
  const byUser = new Map(compared.map((entry) => [entry.userId, entry]));
  const due: NewEntry[] = users.flatMap((user) => {
    const entry = byUser.get(user.id);
    byUser.delete(user.id);
    const wanted = entryOf(user);
    if (!entry) return isWhole || user.updatedAt < deps.now() - SETTLED_MS ? [wanted] : [];
    const isAlike = (["version", "text", "phoneNumber", "statusBucket"] as const).every(
      (name) => entry[name] === wanted[name],
    );
    if (!isWhole && isAlike && !unindexed.has(entry.sortKey)) return [];
    const isOnItsWay = entry.version < user.version && user.updatedAt >= deps.now() - SETTLED_MS;
    return isOnItsWay && !isWhole ? [] : [{ ...wanted, replaces: entry.version }];
  });
  const unmarked = [...byUser.values()].filter(({ removedAt }) => removedAt === null);
  const gone = unmarked.map(({ userId }) => goneEntry(userId, deps.now()));
  return { corrected: await writeEntries(deps, [...due, ...gone]), next: upTo };
}

function entryOf(user: ProjectedUser): NewEntry {
  return {
    userId: user.id,
    sortKey: sortKeyOf(user),
    version: user.version,
    text: searchTextOf(user),
    phoneNumber: user.phoneNumber ?? "",
    statusBucket: user.statusBucket,
    removedAt: null,
  };
}

/** An entry without personal data that marks the user as deleted. */
function goneEntry(id: string, now: number): NewEntry {
  // The first 48 bits of a UUIDv7 are its creation time in ms (RFC 9562 section 5.7).
  const dateJoined = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
  return {
    userId: id,
    sortKey: sortKeyOf({ id, dateJoined }),
    version: GONE_VERSION,
    text: "",
    phoneNumber: "",
    statusBucket: 0,
    removedAt: now,
  };
}
