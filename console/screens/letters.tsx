import { useState } from "preact/hooks";
import { MAX_SETTLED } from "../../src/staff/operations/dead-letter-limits.ts";
import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { Act } from "../ui/act.tsx";
import { Head } from "../ui/head.tsx";
import { usePages } from "../ui/pages.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Link } from "../ui/router.tsx";
import { Moment, number } from "../ui/words.tsx";

type Page = DataOf<"GET /staff/dead-letters">;
type Letter = Page["results"][number];
type State = "WAITING" | "REPLAYED" | "DISCARDED";
type Action = "REPLAY" | "DISCARD";

const STATES: Record<State, string> = { WAITING: "Waiting", REPLAYED: "Replayed", DISCARDED: "Discarded" };

/** Messages that could not be processed, and what an admin does about them. */
export function Letters() {
  const [state, setState] = useState<State>("WAITING");
  const [type, setType] = useState("");
  const key = `${state} ${type}`;
  const query = { state, ...(type ? { type } : {}) };
  const letters = useResource(key, () => call("GET /staff/dead-letters", { query }));
  return (
    <>
      <Head title="Dead letters" />
      <p class="small">Work that failed for good. Fix the cause first; then replay it, once, or discard it.</p>
      <form
        class="row bar"
        onSubmit={(event) => {
          event.preventDefault();
          setType(String(new FormData(event.currentTarget).get("type")).trim());
        }}
      >
        <label>
          <span>State</span>
          <select value={state} onChange={(event) => setState(event.currentTarget.value as State)}>
            {Object.entries(STATES).map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          <span>Type</span>
          <input name="type" placeholder="Such as webhook.due; empty for all" maxLength={200} autocomplete="off" />
        </label>
        <button type="submit">Filter</button>
      </form>
      <Loaded of={letters}>
        {(first, loadedKey) => <List key={loadedKey} first={first} query={query} type={type} reload={letters.reload} />}
      </Loaded>
    </>
  );
}

interface ListProps {
  first: Page;
  query: { state: State; type?: string };
  type: string;
  reload: () => void;
}

function List({ first, query, type, reload }: ListProps) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [action, setAction] = useState<{ is: Action; all: boolean }>();
  const [told, setTold] = useState<string>();
  const next = (cursor: string) => call("GET /staff/dead-letters", { query: { ...query, cursor } });
  const { results: letters, hasMore, refused, button, forget } = usePages(first, next);
  const isWaiting = query.state === "WAITING";
  const isTooMany = chosen.size > MAX_SETTLED;
  const maySettle = chosen.size > 0 && !isTooMany;

  const toggle = (id: string) =>
    setChosen((before) =>
      before.has(id) ? new Set([...before].filter((each) => each !== id)) : new Set([...before, id]),
    );
  const settle = async (reason: string) => {
    if (!action) return;
    const which = action.all ? { type, before: new Date().toISOString() } : { ids: [...chosen] };
    const { settled, remaining } = await call("POST /staff/dead-letters", {
      body: { action: action.is, reason, ...which },
    });
    const done = `${number(settled)} ${action.is === "REPLAY" ? "replayed" : "discarded"}.`;
    setTold(remaining > 0 ? `${done} ${number(remaining)} remain: do it again for those.` : done);
    setChosen(new Set());
    forget();
    reload();
  };

  return (
    <>
      {told && (
        <p class="note" role="status">
          {told}
        </p>
      )}
      {letters.length === 0 && (
        <p class="empty" role="status">
          {hasMore ? "None of these among the newest." : "There are none."}
        </p>
      )}
      {isWaiting && letters.length > 0 && (
        <div class="row" role="toolbar" aria-label="Acts on dead letters">
          <button type="button" disabled={!maySettle} onClick={() => setAction({ is: "REPLAY", all: false })}>
            Replay {chosen.size > 0 && number(chosen.size)}
          </button>
          <button
            type="button"
            class="warn"
            disabled={!maySettle}
            onClick={() => setAction({ is: "DISCARD", all: false })}
          >
            Discard {chosen.size > 0 && number(chosen.size)}
          </button>
          {isTooMany && (
            <span class="small" role="status">
              Choose at most {MAX_SETTLED}.
            </span>
          )}
          {type && (
            <>
              <button type="button" onClick={() => setAction({ is: "REPLAY", all: true })}>
                Replay all of {type}
              </button>
              <button type="button" class="warn" onClick={() => setAction({ is: "DISCARD", all: true })}>
                Discard all of {type}
              </button>
            </>
          )}
        </div>
      )}
      {letters.length > 0 && (
        <ul class="list card">
          {letters.map((letter) => (
            <li key={letter.id} class="letter">
              {isWaiting && (
                <input
                  type="checkbox"
                  aria-label={`Choose ${letter.type ?? letter.queue} of ${letter.created_at}`}
                  checked={chosen.has(letter.id)}
                  onChange={() => toggle(letter.id)}
                />
              )}
              <One letter={letter} />
            </li>
          ))}
        </ul>
      )}
      {refused}
      {button}
      {action && (
        <Act
          title={`${action.is === "REPLAY" ? "Replay" : "Discard"} ${action.all ? `all of ${type}` : number(chosen.size)}?`}
          verb={action.is === "REPLAY" ? "Replay" : "Discard"}
          danger={action.is === "DISCARD"}
          reason="required"
          onClose={() => setAction(undefined)}
          run={settle}
        >
          <p>
            {action.is === "REPLAY" ? "Each is sent again within a minute, once." : "They are never processed."}
            {action.all && ` At most ${MAX_SETTLED} at a time, the oldest first.`}
          </p>
        </Act>
      )}
    </>
  );
}

function One({ letter }: { letter: Letter }) {
  return (
    <div>
      <p>
        <strong>{letter.type ?? letter.queue}</strong>{" "}
        <small>
          <Moment at={letter.created_at} />, {number(letter.attempts)} {letter.attempts === 1 ? "attempt" : "attempts"}
          {letter.settled_at && (
            <>
              , settled <Moment at={letter.settled_at} />
            </>
          )}
        </small>
      </p>
      <p class="small">{letter.reason}</p>
      {letter.user_id && (
        <p class="small">
          <Link to={`/people/${letter.user_id}`}>Whom it concerns</Link>
        </p>
      )}
      {(letter.payload || letter.trace) && (
        <details>
          <summary>Content</summary>
          {letter.payload && <pre>{letter.payload}</pre>}
          {letter.trace && <pre>{letter.trace}</pre>}
        </details>
      )}
    </div>
  );
}
