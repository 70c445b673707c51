import type { VNode } from "preact";
import { call } from "../api/call.ts";
import type { User } from "../api/session.ts";
import { Act } from "../ui/act.tsx";
import type { Detail } from "./person.tsx";

interface ActProps {
  person: Detail;
  onClose: () => void;
  /** Loads the person again: what an act returns would also show what the page hides. */
  reload: () => void;
}

interface Offered {
  /** Text of the button. */
  name: string;
  isFor: (person: Detail, user: User) => boolean;
  isDangerous?: true;
  show: (props: ActProps) => VNode;
}

const WHAT = {
  BANNED: "The account can no longer be used, and every session ends at once. The person is told, without the reason.",
  INACTIVE: "The account cannot be used until staff activate it, and every session ends at once. The person is told.",
  ACTIVE: "The person can sign in again, and is told.",
};

const status = (to: keyof typeof WHAT, name: string, from: string[]): Offered => ({
  name,
  isFor: (person) => from.includes(person.status),
  ...(to === "ACTIVE" ? {} : { isDangerous: true as const }),
  show: ({ person, onClose, reload }) => (
    <Act
      title={`${name} this account?`}
      verb={name}
      danger={to !== "ACTIVE"}
      reason={to === "ACTIVE" ? "optional" : "required"}
      onClose={onClose}
      run={async (reason) => {
        await call("POST /users/{id}/status", {
          id: person.id,
          body: { status: to, ...(reason ? { reason } : {}) },
        });
        reload();
      }}
    >
      <p>{WHAT[to]}</p>
    </Act>
  ),
});

const unlock: Offered = {
  name: "Unlock",
  isFor: () => true,
  show: ({ person, onClose, reload }) => (
    <Act
      title="Unlock the sign-in?"
      verb="Unlock"
      reason="required"
      onClose={onClose}
      run={async (reason) => {
        await call("POST /users/{id}/unlock", { id: person.id, body: { reason } });
        reload();
      }}
    >
      <p>Clears the locks after wrong codes, so that the person can ask for a code again.</p>
    </Act>
  ),
};

const endSessions: Offered = {
  name: "End sessions",
  isFor: () => true,
  show: ({ person, onClose, reload }) => (
    <Act
      title="End every session?"
      verb="End sessions"
      danger
      onClose={onClose}
      run={async () => {
        await call("DELETE /users/{id}/sessions", { id: person.id });
        reload();
      }}
    >
      <p>The person is signed out on every device and can sign in again.</p>
    </Act>
  ),
};

/** The fields of a form that were filled in. */
const filled = (form: FormData, names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => [name, String(form.get(name) ?? "").trim()]).filter(([, value]) => value !== ""),
  );

const identifiers: Offered = {
  name: "Change identifiers",
  isFor: () => true,
  show: ({ person, onClose, reload }) => (
    <Act
      title="Change number, email or username"
      verb="Change"
      danger
      reason="required"
      onClose={onClose}
      fields={
        <>
          <label>
            New mobile number
            <input name="phone_number" inputMode="tel" autocomplete="off" />
          </label>
          <label>
            New email address
            <input name="email" type="email" autocomplete="off" />
          </label>
          <label>
            New username
            <input name="username" maxLength={150} autocomplete="off" />
          </label>
        </>
      }
      run={async (reason, form) => {
        const change = filled(form, ["phone_number", "email", "username"]);
        await call("PATCH /users/{id}", { id: person.id, body: { ...change, reason } });
        reload();
      }}
    >
      <p>
        Fields that stay empty are kept. A new number or address is unverified, ends every session, and the old one gets
        a notice. Make sure that it is the person who asks.
      </p>
    </Act>
  ),
};

const profile: Offered = {
  name: "Edit profile",
  isFor: () => true,
  show: ({ person, onClose, reload }) => (
    <Act
      title="Edit profile"
      verb="Save"
      onClose={onClose}
      fields={
        <>
          <label>
            Full name
            <input name="full_name" minLength={2} maxLength={255} autocomplete="off" />
          </label>
          <label>
            Date of birth
            <input name="date_of_birth" type="date" />
          </label>
          <label>
            Address
            <input name="address" maxLength={255} autocomplete="off" />
          </label>
        </>
      }
      run={async (_, form) => {
        const change = filled(form, ["full_name", "date_of_birth", "address"]);
        await call("PATCH /users/{id}", { id: person.id, body: change });
        reload();
      }}
    >
      <p>Fields that stay empty are kept.</p>
    </Act>
  ),
};

const resetPasskeys: Offered = {
  name: "Reset passkeys",
  isFor: () => true,
  show: ({ person, onClose, reload }) => (
    <Act
      title="Remove every passkey?"
      verb="Reset passkeys"
      danger
      reason="required"
      onClose={onClose}
      run={async (reason) => {
        await call("POST /users/{id}/passkey-reset", { id: person.id, body: { reason } });
        reload();
      }}
    >
      <p>
        For somebody who has lost them. Ends every session.{" "}
        {person.role === "user"
          ? "The person signs in with a code and can add a new passkey."
          : "For 24 hours this colleague can add one passkey after signing in with a code. The person and every admin are told."}{" "}
        Make sure that it is the person who asks.
      </p>
    </Act>
  ),
};

const role: Offered = {
  name: "Role",
  isFor: (_, user) => user.role === "admin",
  show: ({ person, onClose, reload }) => (
    <Act
      title="Change the role"
      verb="Change"
      danger
      reason="required"
      onClose={onClose}
      fields={
        <label>
          Role
          <select name="role" defaultValue={person.role}>
            <option value="user">User</option>
            <option value="staff">Staff</option>
            <option value="admin">Admin</option>
          </select>
        </label>
      }
      run={async (reason, form) => {
        const body = { role: form.get("role") as "user" | "staff" | "admin", reason };
        await call("PUT /users/{id}/role", { id: person.id, body });
        reload();
      }}
    >
      <p>Ends the person's sessions. Staff can open every account; admins can also change those of staff.</p>
    </Act>
  ),
};

/** What staff can do to an account, in the order of the buttons. */
export const acts: readonly Offered[] = [
  status("ACTIVE", "Activate", ["INACTIVE", "BANNED"]),
  unlock,
  endSessions,
  profile,
  identifiers,
  resetPasskeys,
  role,
  status("INACTIVE", "Deactivate", ["ACTIVE"]),
  status("BANNED", "Ban", ["ACTIVE", "INACTIVE"]),
];
