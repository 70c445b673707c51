import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { Act } from "../ui/act.tsx";
import { usePages } from "../ui/pages.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
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
          <p>Colleagues can read it for a year. The person sees it only in an export of their data.</p>
        </Act>
      )}
    </>
  );
}

/** Notes, newest first. */
function Written({ first, next }: { first: Page; next: (cursor: string) => Promise<Page> }) {
  const { results, hasMore, refused, button } = usePages(first, next);
  return (
    <>
      {results.length === 0 ? (
        <p class="empty" role="status">
          {hasMore ? "No note among the newest entries." : "Nobody has written a note."}
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
      {refused}
      {button}
    </>
  );
}
