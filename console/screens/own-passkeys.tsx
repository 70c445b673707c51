import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { addPasskey, hasPasskeys, removePasskey } from "../api/passkeys.ts";
import type { DataOf } from "../api/routes.ts";
import { Act } from "../ui/act.tsx";
import { Head } from "../ui/head.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Day, Moment, Text } from "../ui/words.tsx";

type Passkey = DataOf<"GET /auth/identity">["passkeys"][number];

/** The passkeys of the reader. */
export function OwnPasskeys() {
  const identity = useResource("identity", () => call("GET /auth/identity"));
  const [isAdding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<Passkey>();
  return (
    <>
      <Head title="Your passkeys">
        {hasPasskeys && (
          <button type="button" onClick={() => setAdding(true)}>
            Add a passkey
          </button>
        )}
      </Head>
      {!hasPasskeys && <p class="note">Passkeys do not work at this address or in this browser.</p>}
      <Loaded of={identity}>{({ passkeys }) => <Passkeys all={passkeys} remove={setRemoved} />}</Loaded>
      {isAdding && (
        <Act
          title="Add a passkey"
          verb="Add"
          onClose={() => setAdding(false)}
          fields={
            <label>
              <span>
                Name <small>optional</small>
              </span>
              <input name="name" maxLength={64} placeholder="Laptop" autocomplete="off" autofocus />
            </label>
          }
          run={async (_, form) => {
            await addPasskey(String(form.get("name") ?? "").trim());
            identity.reload();
          }}
        >
          <p>The browser asks where to keep it. Every verified address of your account gets a message.</p>
        </Act>
      )}
      {removed && (
        <Act
          title="Remove this passkey?"
          verb="Remove"
          danger
          onClose={() => setRemoved(undefined)}
          run={async () => {
            await removePasskey(removed);
            identity.reload();
          }}
        >
          <p>
            <Text none="A passkey without a name">{removed.name}</Text> no longer signs you in. Other sessions that it
            opened end.
          </p>
        </Act>
      )}
    </>
  );
}

function Passkeys({ all, remove }: { all: readonly Passkey[]; remove: (passkey: Passkey) => void }) {
  if (all.length === 0) return <p class="empty">You have no passkey. With one you need no code to sign in.</p>;
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">Passkey</th>
          <th scope="col">Kept</th>
          <th scope="col">Added</th>
          <th scope="col">Last used</th>
          <th scope="col">Remove</th>
        </tr>
      </thead>
      <tbody>
        {all.map((passkey) => (
          <tr key={passkey.id}>
            <td>
              <Text none="Without a name">{passkey.name}</Text>
            </td>
            <td data-name="Kept">{passkey.is_synced ? "in a password manager" : "on one device"}</td>
            <td data-name="Added">
              <Day at={passkey.created_at} />
            </td>
            <td data-name="Last used">
              <Moment at={passkey.last_used_at} />
            </td>
            <td>
              <button
                type="button"
                class="quiet"
                aria-label={`Remove ${passkey.name ?? "the passkey without a name"}`}
                onClick={() => remove(passkey)}
              >
                Remove
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
