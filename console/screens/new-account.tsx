import { call } from "../api/call.ts";
import { Act } from "../ui/act.tsx";
import { go } from "../ui/router.tsx";

/** Creates an account for somebody who cannot do so, and opens it. */
export function NewAccount({ onClose }: { onClose: () => void }) {
  return (
    <Act
      title="New account"
      verb="Create"
      onClose={onClose}
      fields={
        <>
          <label>
            Mobile number or email address
            <input name="identifier" required autofocus autocomplete="off" />
          </label>
          <label>
            Full name <small>optional</small>
            <input name="full_name" minLength={2} maxLength={255} autocomplete="off" />
          </label>
        </>
      }
      run={async (_, form) => {
        const full_name = String(form.get("full_name")).trim();
        const created = await call("POST /users", {
          body: { identifier: String(form.get("identifier")), ...(full_name ? { full_name } : {}) },
        });
        go(`/people/${created.id}`);
      }}
    >
      <p>The number or address stays unverified until its owner signs in with a code.</p>
    </Act>
  );
}
