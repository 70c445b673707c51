import { queryPrimary, querySearch, type Target } from "./database.ts";

/** SQL for the search database: one row if it has no entries, otherwise none. */
export const SEARCH_IS_EMPTY = "select 1 as is_empty where not exists (select 1 from search_entries)";

/** SQL for the primary that makes `rebuild_user_search` due if there are users: the cron then adds them to the search. */
export const rebuildDue = (now: number) => `insert or ignore into job_runs
    (name, period_started_at, chunks, processed, leased_until)
  select 'rebuild_user_search', ${now}, 0, 0, 0 where exists (select 1 from users)`;

/** Makes the rebuild due if the search is empty although there are users, as after a migration that creates it. */
export function rebuildEmptySearch(target: Target, now: number): void {
  if (querySearch(target, SEARCH_IS_EMPTY).length > 0) queryPrimary(target, rebuildDue(now));
}
