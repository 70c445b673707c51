import { testEnv } from "./client.ts";

type Row = Record<string, unknown>;

async function usersOf(ids: readonly string[]): Promise<Row[]> {
  const { results } = await testEnv.DB.prepare(
    `select id, version, status_bucket, coalesce(phone_number, '') as phone from users
      where id in (select value from json_each(?1))`,
  )
    .bind(JSON.stringify(ids))
    .all<Row>();
  return results;
}

/** Search entries of the users; users without an entry are omitted. */
export async function searchStatesOf(ids: readonly string[]): Promise<string[]> {
  const list = JSON.stringify(ids);
  const entries = testEnv.SEARCH_DB.prepare(
    "select user_id as id, version, removed_at as goneAt from search_entries where user_id in (select value from json_each(?))",
  );
  const [{ results }, users] = await Promise.all([entries.bind(list).all<Row>(), usersOf(ids)]);
  const versions = new Map(users.map(({ id, version }) => [id, version]));
  return results.map(({ id, version, goneAt }) => {
    if (!versions.has(id)) return goneAt === null ? "search has who is gone" : "search knows who is gone";
    return version === versions.get(id) ? "search has the user" : "search has the user as before";
  });
}

/** Users whose search entry differs from the primary, or whose trigrams do not match the entry exactly once. */
export async function findSearchDrift(ids: readonly string[]): Promise<string[]> {
  const users = await usersOf(ids);
  const known = new Map(users.map((user) => [String(user.id), user]));
  const { results } = await testEnv.SEARCH_DB.prepare(
    `select e.user_id as id, e.version, e.status_bucket, e.phone_number as phone, e.removed_at is null as isLive, e.text,
      (select count(*) from user_search s where s.rowid = e.sort_key) as indexed
      from search_entries e where e.user_id in (select value from json_each(?1))`,
  )
    .bind(JSON.stringify(ids))
    .all<Row>();
  const entries = new Map(results.map((entry) => [String(entry.id), entry]));
  return ids.flatMap((id) => {
    const [user, entry] = [known.get(id), entries.get(id)];
    if (!user)
      return entry && (entry.isLive || entry.text !== "" || entry.indexed) ? [`${id} is gone and is still found`] : [];
    if (!entry) return [`${id} is not in the search`];
    const isAlike = (["version", "status_bucket", "phone"] as const).every((name) => entry[name] === user[name]);
    return isAlike && entry.isLive && entry.indexed === 1 ? [] : [`${id} is found as they were`];
  });
}
