import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api/call.ts";
import type { DataOf, InputOf } from "../api/routes.ts";
import { Head } from "../ui/head.tsx";
import { Icon } from "../ui/icons.tsx";
import { type PageOf, usePages } from "../ui/pages.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { go, Link, setSearch, usePlace } from "../ui/router.tsx";
import { Day, Mark, number, plain, Text } from "../ui/words.tsx";
import { NewAccount } from "./new-account.tsx";

type Query = NonNullable<InputOf<"GET /users">["query"]>;
type Listed = DataOf<"GET /users">["results"][number];

const PAGE_SIZE = 20;

const filters = {
  status: { name: "Status", choices: { ACTIVE: "Active", INACTIVE: "Inactive", BANNED: "Banned" } },
  kyc_status: {
    name: "Identity",
    choices: { PENDING: "Waiting", APPROVED: "Approved", REJECTED: "Rejected", NOT_SUBMITTED: "No documents" },
  },
  phone_verified: { name: "Number", choices: { true: "Verified", false: "Not verified" } },
} as const;

/** The first and the last day of joining, in Kathmandu. */
const days = { start_date: "Joined from", end_date: "Joined until" } as const;
const names = [...Object.keys(filters), ...Object.keys(days)];

/** Everybody who has an account, with search and filters. */
export function People() {
  const { query, search } = usePlace();
  const [isNewOpen, setNewOpen] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  // Going back changes the text. The field is updated, not replaced, because a new one would lose the focus.
  useEffect(() => {
    if (field.current) field.current.value = search;
  }, [search]);
  const chosen = Object.fromEntries(names.map((name) => [name, query.get(name) ?? ""]));
  const asked = { ...chosen, search, page_size: PAGE_SIZE, expand: "summary" } as unknown as Query;
  const { start_date = "", end_date = "" } = chosen;
  // The server refuses such a range, which also occurs while a year is being typed.
  const isBackwards = start_date !== "" && end_date !== "" && start_date > end_date;

  const choose = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    if (value) next.set(name, value);
    else next.delete(name);
    go(`/people${next.size > 0 ? `?${next}` : ""}`, true);
  };

  return (
    <>
      <Head title="People">
        <button type="button" onClick={() => setNewOpen(true)}>
          New account
        </button>
      </Head>
      <search>
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            setSearch(String(new FormData(event.currentTarget).get("search")).trim());
          }}
        >
          <div class="row bar">
            <label class="grow">
              <span>Search</span>
              <span class="field">
                <Icon name="search" />
                <input
                  ref={field}
                  type="search"
                  name="search"
                  defaultValue={search}
                  maxLength={255}
                  placeholder="Name, number, email, username, referral code or document number"
                />
              </span>
            </label>
            <button type="submit" class="primary">
              Search
            </button>
          </div>
          <div class="row bar">
            {Object.entries(filters).map(([name, filter]) => (
              <label key={name}>
                <span>{filter.name}</span>
                <select value={chosen[name]} onChange={(event) => choose(name, event.currentTarget.value)}>
                  <option value="">All</option>
                  {Object.entries(filter.choices).map(([value, text]) => (
                    <option key={value} value={value}>
                      {text}
                    </option>
                  ))}
                </select>
              </label>
            ))}
            {Object.entries(days).map(([name, label]) => (
              <label key={name}>
                <span>{label}</span>
                <input type="date" value={chosen[name]} onChange={(event) => choose(name, event.currentTarget.value)} />
              </label>
            ))}
          </div>
        </form>
      </search>
      {isBackwards ? (
        <p class="note" role="status">
          “Joined until” is before “Joined from”. Change one of the two days.
        </p>
      ) : (
        <Listing query={asked} isSearch={search !== ""} />
      )}
      {isNewOpen && <NewAccount onClose={() => setNewOpen(false)} />}
    </>
  );
}

/** The people who match; the last list stays until the next has loaded. */
function Listing({ query, isSearch }: { query: Query; isSearch: boolean }) {
  const key = JSON.stringify(query);
  const people = useResource(key, () => call("GET /users", { query }));
  return (
    <Loaded of={people}>
      {(first, loadedKey) => <Found key={loadedKey} first={first} query={query} isSearch={isSearch} />}
    </Loaded>
  );
}

interface FoundProps {
  first: DataOf<"GET /users">;
  query: Query;
  isSearch: boolean;
}

/** The pages that were asked for so far. */
function Found({ first, query, isSearch }: FoundProps) {
  const page = ({ results, pagination }: DataOf<"GET /users">): PageOf<Listed> => ({
    results,
    next_cursor: pagination.next_cursor,
  });
  const { results, hasMore, refused, button } = usePages(page(first), async (cursor) =>
    page(await call("GET /users", { query: { ...query, cursor } })),
  );
  const total = first.pagination.total_count;

  if (results.length === 0 && !hasMore) {
    return (
      <p class="empty">
        Nobody was found. {isSearch && "Try fewer words, a part of the number, or the whole document number."}
      </p>
    );
  }
  return (
    <>
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">Person</th>
            <th scope="col">Number</th>
            <th scope="col">Email</th>
            <th scope="col">Status</th>
            <th scope="col">Identity</th>
            <th scope="col">Joined</th>
            <th scope="col">Last sign-in</th>
            {isSearch && <th scope="col">Found by</th>}
          </tr>
        </thead>
        <tbody>
          {results.map((person) => (
            <tr key={person.id}>
              <td>
                <Link to={`/people/${person.id}`} class="strong">
                  <Text>{person.full_name ?? person.username}</Text>
                </Link>{" "}
                {person.role && person.role !== "user" && <Mark of={person.role} />}
                {person.full_name && (
                  <span class="under">
                    <Text>{person.username}</Text>
                  </span>
                )}
              </td>
              <td data-name="Number">
                <Text>{person.phone_hint}</Text>
              </td>
              <td data-name="Email">
                <Text>{person.email_hint}</Text>
              </td>
              <td data-name="Status">
                <Mark of={person.status} />
              </td>
              <td data-name="Identity">{person.kyc_status && <Mark of={person.kyc_status} />}</td>
              <td data-name="Joined">
                <Day at={person.date_joined} />
              </td>
              <td data-name="Last sign-in">
                <Day at={person.last_login} />
              </td>
              {isSearch && <td data-name="Found by">{person.matched ? plain(person.matched) : "–"}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {refused}
      <div class="row apart">
        <p class="small" role="status">
          {number(results.length)} {total === null ? "shown" : `of ${number(total)} shown`}
        </p>
        {button}
      </div>
    </>
  );
}
