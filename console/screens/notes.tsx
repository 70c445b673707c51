import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { Act } from "../ui/act.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Moment, Text } from "../ui/words.tsx";

const MAX_NOTE = 1_000;

/** What colleagues wrote about the person. */
export function Notes({ id, mayWrite }: { id: string; mayWrite: boolean }) {
  const notes = useResource(id, () => call("GET /users/{id}/audit-logs", { id, query: { entity_type: "note" } }));
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      {mayWrite && (
        <button type="button" class="primary" onClick={() => setOpen(true)}>
          Write a note
        </button>
      )}
      <Loaded of={notes}>
        {({ results }) =>
          results.length === 0 ? (
            <p class="empty">Nobody has written a note.</p>
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
          )
        }
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
