import { Fragment, type VNode } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { type User, useUser } from "../api/session.ts";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Link, useTitle } from "../ui/router.tsx";
import { Day, Mark, Text } from "../ui/words.tsx";
import { Access } from "./access.tsx";
import { acts } from "./acts.tsx";
import { Notes } from "./notes.tsx";
import { Overview } from "./overview.tsx";
import { Report } from "./report.tsx";
import { Sessions } from "./sessions.tsx";
import { Trail } from "./trail.tsx";

/** A user's details, as the API shows them to staff. */
export type Detail = DataOf<"GET /users/{id}">;

interface PartProps {
  person: Detail;
  /** Whether the reader may change the account. */
  mayChange: boolean;
}

const parts: readonly { path: string; name: string; show: (props: PartProps) => VNode }[] = [
  { path: "", name: "Overview", show: ({ person }) => <Overview person={person} /> },
  { path: "access", name: "Access", show: ({ person }) => <Access id={person.id} /> },
  { path: "sessions", name: "Sessions", show: ({ person }) => <Sessions id={person.id} /> },
  { path: "trail", name: "Trail", show: ({ person }) => <Trail id={person.id} /> },
  { path: "notes", name: "Notes", show: ({ person, mayChange }) => <Notes id={person.id} mayWrite={mayChange} /> },
  { path: "report", name: "Report", show: ({ person }) => <Report id={person.id} /> },
];

/** One person: who it is, what staff may do, and the parts, each at an address of its own. */
export function Person({ id, part = "" }: { id: string; part: string | undefined }) {
  const detail = useResource(id, () => call("GET /users/{id}", { id, query: { mask: true } }));
  const user = useUser();
  // After an act the open part is mounted anew, because what it has loaded or revealed may be outdated.
  const [acted, setActed] = useState(0);
  const reload = () => {
    detail.reload();
    setActed((before) => before + 1);
  };
  useTitle("Person", false);
  return (
    <>
      <p class="crumb">
        <Link to="/people">People</Link>
      </p>
      <Loaded of={detail}>
        {(person) => (
          <>
            <Head person={person} reload={reload} />
            <nav class="tabs" aria-label="About this person">
              {parts.map(({ path, name }) => (
                <Link key={path} to={`/people/${id}${path && `/${path}`}`} current={path === part}>
                  {name}
                </Link>
              ))}
            </nav>
            <Fragment key={acted}>
              {(parts.find(({ path }) => path === part) ?? parts[0])?.show({
                person,
                mayChange: mayChange(person, user),
              })}
            </Fragment>
          </>
        )}
      </Loaded>
    </>
  );
}

/** Why an account cannot be used. */
const REASONS: Record<NonNullable<Detail["status_reason"]>, string> = {
  inactivity: "for inactivity",
  staff: "by staff",
  disputed: "after a disputed change",
};

/** Nobody changes their own account, and only an admin changes one of staff; the server decides so too. */
const mayChange = (person: Detail, user: User) =>
  person.id !== user.id && (person.role === "user" || user.role === "admin");

interface HeadProps {
  person: Detail;
  reload: () => void;
}

function Head({ person, reload }: HeadProps) {
  const user = useUser();
  // The heading is there only now.
  useTitle("Person");
  const [open, setOpen] = useState<string>();
  const close = () => setOpen(undefined);
  const isOwn = person.id === user.id;
  const offered = mayChange(person, user) ? acts.filter(({ isFor }) => isFor(person, user)) : [];
  const act = offered.find(({ name }) => name === open);
  return (
    <section class="head">
      <div>
        <h1 tabIndex={-1}>
          <Text>{person.profile?.full_name ?? person.username}</Text>
        </h1>
        <p class="row facts">
          <Mark of={person.status} />
          {person.status_reason && <span class="small">{REASONS[person.status_reason]}</span>}
          <Mark of={person.kyc?.status ?? "NOT_SUBMITTED"} />
          {person.role !== "user" && <Mark of={person.role} />}
          <span class="small">
            <Text>{person.username}</Text>, joined <Day at={person.date_joined} />
          </span>
        </p>
      </div>
      {offered.length > 0 && (
        <div class="row acts" role="toolbar" aria-label="Acts on this account">
          {offered.map(({ name, isDangerous }) => (
            <button key={name} type="button" class={isDangerous ? "warn" : undefined} onClick={() => setOpen(name)}>
              {name}
            </button>
          ))}
        </div>
      )}
      {isOwn && <p class="note">This is your own account. A colleague who is an admin can change it.</p>}
      {!isOwn && offered.length === 0 && (
        <p class="note">This account belongs to staff. Only an admin can change it.</p>
      )}
      {act?.show({ person, onClose: close, reload })}
    </section>
  );
}
