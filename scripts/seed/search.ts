import type { DatabaseSync } from "node:sqlite";
import { searchEntries } from "../../src/db/search.ts";
import { sortKeyOf } from "../../src/staff/directory/search-sort-key.ts";
import { searchTextOf } from "../../src/staff/directory/search-text.ts";
import { type Databases, inserter } from "./databases.ts";

interface Row {
  id: string;
  version: number;
  username_key: string;
  email: string | null;
  phone_number: string | null;
  full_name: string | null;
  status_bucket: number;
  date_joined: number;
}

const BATCH_SIZE = 20_000;

/**
 * Writes the search entries of all users who have none, as the search projection would, in the order of joining.
 *
 * @returns the number of entries written.
 */
export function projectAll({ primary, search }: Databases, onProgress: (done: number) => void): number {
  const users = primary.prepare(
    `select users.id, version, username_key, email, phone_number, full_name, status_bucket, date_joined
      from users left join profiles on profiles.user_id = users.id where users.id > ? order by users.id limit ?`,
  );
  const write = entryWriter(search);
  let written = 0;
  for (let after = "", rows: Row[]; ; after = rows.at(-1)?.id ?? after) {
    rows = users.all(after, BATCH_SIZE) as unknown as Row[];
    search.exec("begin");
    for (const row of rows) if (write(row)) written += 1;
    search.exec("commit");
    onProgress(written);
    if (rows.length < BATCH_SIZE) return written;
  }
}

function entryWriter(search: DatabaseSync) {
  const known = search.prepare("select 1 from search_entries where user_id = ?");
  const insertEntry = inserter(search, searchEntries);
  const index = search.prepare("insert into user_search (rowid, text) values (?, ?)");
  return (row: Row): boolean => {
    if (known.get(row.id)) return false;
    const text = searchTextOf({
      usernameKey: row.username_key,
      email: row.email,
      phoneNumber: row.phone_number,
      fullName: row.full_name,
    });
    const entry = {
      userId: row.id,
      version: row.version,
      text,
      phoneNumber: row.phone_number ?? "",
      statusBucket: row.status_bucket,
      writtenBy: "seed",
      removedAt: null,
    };
    let sortKey = sortKeyOf({ id: row.id, dateJoined: row.date_joined });
    while (!insertEntry({ ...entry, sortKey })) sortKey += 1;
    index.run(sortKey, text);
    return true;
  };
}
