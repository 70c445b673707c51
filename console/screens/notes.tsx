import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import type { DataOf } from "../api/routes.ts";
import { Act } from "../ui/act.tsx";
import { Loaded, Refused, useResource } from "../ui/resource.tsx";
import { Moment, Text } from "../ui/words.tsx";

type Page = DataOf<"GET /users/{id}/audit-logs">;

const MAX_NOTE = 1_000;

/** What colleagues wrote about the person. */
export function Notes({ id, mayWrite }: { id: string; mayWrite: boolean }) {
  const ask = (cursor?: string) =>
    call("GET /users/{id}/audit-logs", { id, query: { entity_type: "note", ...(cursor ? { cursor } : {}) } });
  const notes = useResource(id, () => ask());
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      {mayWrite && (
        <button type="button" class="primary" onClick={() => setOpen(true)}>
          Write a note
        </button>
      )}
      <Loaded of={notes}>
        {(first) => <Written key={`${first.results[0]?.id} ${first.next_cursor}`} first={first} next={ask} />}
      </Loaded>
      {isOpen && (
        <Act
          title="Write a note"
          verb="Save"
          onClose={() => setOpen(false)}
          fields={
            <label>
              Note
              <textarea name="text" rows={5} maxLength={MAX_NOTE} required autofocus />
            </label>
          }
          run={async (_, form) => {
            await call("POST /users/{id}/notes", { id, body: { text: String(form.get("text")) } });
            notes.reload();
          }}
        >
          <p>Colleagues can read it for a year. The person does not see it here.</p>
        </Act>
      )}
    </>
  );
}

/** Notes, newest first. A page of the server may be short, or empty, and more may follow. */
function Written({ first, next }: { first: Page; next: (cursor: string) => Promise<Page> }) {
  const [more, setMore] = useState<Page>();
  const [refusal, setRefusal] = useState<Refusal>();
  const results = [...first.results, ...(more?.results ?? [])];
  const cursor = more ? more.next_cursor : first.next_cursor;
  const showMore = async () => {
    if (!cursor) return;
    setRefusal(undefined);
    try {
      const page = await next(cursor);
      setMore({ ...page, results: [...(more?.results ?? []), ...page.results] });
    } catch (error) {
      setRefusal(asRefusal(error));
    }
  };
  return (
    <>
      {results.length === 0 ? (
        <p class="empty" role="status">
          {cursor ? "No note among the newest entries." : "Nobody has written a note."}
        </p>
      ) : (
        <ul class="list card">
          {results.map((entry) => (
            <li key={entry.id}>
              <small>
                <Text>{entry.actor?.username}</Text>, <Moment at={entry.created_at} />
              </small>
              <p>
                <Text>{String(entry.new_values?.text ?? "")}</Text>
              </p>
            </li>
          ))}
        </ul>
      )}
      {refusal && <Refused refusal={refusal} again={showMore} />}
      {cursor && (
        <button type="button" onClick={showMore}>
          Show more
        </button>
      )}
    </>
  );
}
