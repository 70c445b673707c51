import type { Deps } from "../../platform/deps.ts";
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

/** The feed is seconds behind; what changed since so long is not drift yet. */
const SETTLED_MS = 10 * 60_000;

/**
 * Brings the search entries of these users, at most 200, up to what the primary says of them now. Late, doubled and
 * reordered calls change nothing: an older version never takes a newer one's place, and nobody who is gone comes back.
 *
 * @returns how many entries were written.
 */
export async function projectUsers(deps: ProjectionDeps, userIds: readonly string[]): Promise<number> {
  const ids = [...new Set(userIds)];
  const found = await findProjected(deps, ids);
  const known = new Set(found.map(({ id }) => id));
  const gone = ids.filter((id) => !known.has(id));
  const written = await writeEntries(deps, [...found.map(entryOf), ...gone.map((id) => goneEntry(id, deps.now()))]);
  return written.length;
}

/** A stretch of the projection that was held against the primary. */
export interface Compared {
  /** Users whose entries were written. */
  mended: string[];
  /** The id that the stretch ends with; undefined where there is nobody behind it. */
  next: string | undefined;
}

/**
 * Holds the entries of at most `count` users behind `after` against the primary, in the order of ids, and writes those that
 * differ, are missing or have nobody any more; with `isWhole` every one. Entries are read first: what the primary says
 * afterwards is newer, so a greater version in an entry means that the primary was restored.
 */
export async function compareEntries(
  deps: ProjectionDeps,
  after: string,
  count: number,
  isWhole: boolean,
): Promise<Compared> {
  const listed = await listEntries(deps, after, count);
  const lastEntry = listed.length === count ? listed.at(-1)?.userId : undefined;
  const entries = listed.filter(({ removedAt }) => removedAt === null);
  const users = await listProjected(deps, after, lastEntry, count);
  const upTo = users.length === count ? users.at(-1)?.id : lastEntry;
  const compared = upTo === undefined ? entries : entries.filter(({ userId }) => userId <= upTo);
  const unindexed = new Set(
    isWhole
      ? []
      : await listUnindexed(
          deps,
          compared.map(({ place }) => place),
        ),
  );
  const byUser = new Map(compared.map((entry) => [entry.userId, entry]));
  const due: NewEntry[] = users.flatMap((user) => {
    const entry = byUser.get(user.id);
    byUser.delete(user.id);
    const wanted = entryOf(user);
    if (!entry) return isWhole || user.updatedAt < deps.now() - SETTLED_MS ? [wanted] : [];
    const isAlike = (["version", "text", "phoneNumber", "facet"] as const).every(
      (name) => entry[name] === wanted[name],
    );
    if (!isWhole && isAlike && !unindexed.has(entry.place)) return [];
    const isOnItsWay = entry.version < user.version && user.updatedAt >= deps.now() - SETTLED_MS;
    return isOnItsWay && !isWhole ? [] : [{ ...wanted, replaces: entry.version }];
  });
  const gone = [...byUser.keys()].map((id) => goneEntry(id, deps.now()));
  return { mended: await writeEntries(deps, [...due, ...gone]), next: upTo };
}

function entryOf(user: ProjectedUser): NewEntry {
  return {
    userId: user.id,
    place: sortKeyOf(user),
    version: user.version,
    text: searchTextOf(user),
    phoneNumber: user.phoneNumber ?? "",
    facet: user.facet,
    removedAt: null,
  };
}

/** Says nothing of the person but that they are gone. */
function goneEntry(id: string, now: number): NewEntry {
  // The first 48 bits of a UUIDv7 are the millisecond it was made in (RFC 9562 section 5.7).
  const dateJoined = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
  const place = sortKeyOf({ id, dateJoined });
  return { userId: id, place, version: GONE_VERSION, text: "", phoneNumber: "", facet: 0, removedAt: now };
}
