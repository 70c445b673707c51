import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { AUDITED } from "../ui/audited.ts";
import { type PageOf, usePages } from "../ui/pages.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { go, Link, usePlace } from "../ui/router.tsx";
import { Moment, plain, Text } from "../ui/words.tsx";

type Entry = DataOf<"GET /users/{id}/audit-logs">["results"][number] & {
  /** Whom it concerns; absent in the trail of one person. */
  user?: { id: string; username: string } | null;
};
/** What happened to the account, newest first; all of it, or what concerns one thing. */
export function Trail({ id }: { id: string }) {
  const { path, query } = usePlace();
  const asked = query.get("about") ?? "";
  const about = Object.hasOwn(AUDITED, asked) ? asked : "";
  const [isWhole, setWhole] = useState(false);
  const key = `${id} ${isWhole} ${about}`;
  const ask = (cursor?: string) =>
    call("GET /users/{id}/audit-logs", {
      id,
      query: {
        ...(isWhole ? {} : { mask: true }),
        ...(about ? { entity_type: about } : {}),
        ...(cursor ? { cursor } : {}),
      },
    });
  const first = useResource(key, () => ask());
  const choose = (chosen: string) => go(chosen ? `${path}?about=${chosen}` : path, true);
  return (
    <>
      <label>
        <span>About</span>
        <select value={about} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">Everything</option>
          {Object.entries(AUDITED).map(([type, name]) => (
            <option key={type} value={type}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Loaded of={first}>{(page, loadedKey) => <Entries key={loadedKey} first={page} next={ask} />}</Loaded>
      {!isWhole && (
        <p class="small">
          Numbers and addresses are hidden.{" "}
          <button type="button" class="link" onClick={() => setWhole(true)}>
            Show them
          </button>
          , which is recorded.
        </p>
      )}
    </>
  );
}

/** Entries of an audit log, and those that follow on demand. */
export function Entries({ first, next }: { first: PageOf<Entry>; next: (cursor: string) => Promise<PageOf<Entry>> }) {
  const { results, hasMore, refused, button } = usePages(first, next);
  const hasUsers = results.some((entry) => "user" in entry);
  return (
    <>
      {results.length === 0 && (
        <p class="empty" role="status">
          {hasMore ? "Nothing of this kind among the newest entries." : "Nothing was recorded."}
        </p>
      )}
      <table class="cards trail" hidden={results.length === 0}>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">What</th>
            <th scope="col">{hasUsers ? "Of" : "By"}</th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          {results.map((entry) => (
            <tr key={entry.id}>
              <td data-name="When">
                <Moment at={entry.created_at} />
              </td>
              <td data-name="What">
                {plain(entry.action)} {plain(entry.entity_type).toLowerCase()}
              </td>
              {hasUsers ? (
                <td data-name="Of">
                  {entry.user ? (
                    <Link to={`/people/${entry.user.id}`}>
                      <Text>{entry.user.username}</Text>
                    </Link>
                  ) : (
                    <span class="none">deleted</span>
                  )}
                </td>
              ) : (
                <td data-name="By">
                  <Text none={entry.by_staff ? "Operator" : "System"}>{entry.actor?.username}</Text>{" "}
                  {entry.by_staff && <span class="mark info">Staff</span>}
                </td>
              )}
              <td data-name="Change">
                <Changes entry={entry} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {refused}
      {button}
    </>
  );
}

const asText = (value: unknown): string =>
  value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** The fields of an entry: from what to what. */
function Changes({ entry: { old_values: from, new_values: to } }: { entry: Entry }) {
  const names = [...new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])];
  if (names.length === 0) return <span class="none">–</span>;
  return (
    <ul class="changes">
      {names.map((name) => (
        <li key={name}>
          <span class="small">{plain(name)}</span> {from && name in from && <del>{asText(from[name])}</del>}{" "}
          {to && name in to && <ins>{asText(to[name])}</ins>}
        </li>
      ))}
    </ul>
  );
}
