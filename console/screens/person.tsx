import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { useUser } from "../api/session.ts";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Link, useTitle } from "../ui/router.tsx";
import { Day, Mark, Text } from "../ui/words.tsx";
import { acts } from "./acts.tsx";
import { Overview } from "./overview.tsx";
import { Report } from "./report.tsx";
import { Sessions } from "./sessions.tsx";
import { Trail } from "./trail.tsx";

/** A person, as the server tells staff. */
export type Detail = DataOf<"GET /users/{id}">;

interface PartProps {
  person: Detail;
  reload: () => void;
}

const parts: readonly { path: string; name: string; show: (props: PartProps) => VNode }[] = [
  { path: "", name: "Overview", show: ({ person }) => <Overview person={person} /> },
  { path: "sessions", name: "Sessions", show: ({ person }) => <Sessions id={person.id} /> },
  { path: "trail", name: "Trail", show: ({ person }) => <Trail id={person.id} /> },
  { path: "report", name: "Report", show: ({ person }) => <Report id={person.id} /> },
];

/** One person: who it is, what staff may do, and the parts, each at an address of its own. */
export function Person({ id, part = "" }: { id: string; part: string | undefined }) {
  const detail = useResource(id, () => call("GET /users/{id}", { id }));
  useTitle("Person");
  return (
    <>
      <p class="crumb">
        <Link to="/people">People</Link>
      </p>
      <Loaded of={detail}>
        {(person) => (
          <>
            <Head person={person} set={detail.set} reload={detail.reload} />
            <nav class="tabs" aria-label="About this person">
              {parts.map(({ path, name }) => (
                <Link key={path} to={`/people/${id}${path && `/${path}`}`} current={path === part}>
                  {name}
                </Link>
              ))}
            </nav>
            {(parts.find(({ path }) => path === part) ?? parts[0])?.show({ person, reload: detail.reload })}
          </>
        )}
      </Loaded>
    </>
  );
}

interface HeadProps {
  person: Detail;
  set: (person: Detail) => void;
  reload: () => void;
}

function Head({ person, set, reload }: HeadProps) {
  const user = useUser();
  const [open, setOpen] = useState<string>();
  const close = () => setOpen(undefined);
  const isOwn = person.id === user.id;
  const offered = isOwn ? [] : acts.filter(({ isFor }) => isFor(person, user));
  const act = offered.find(({ name }) => name === open);
  return (
    <section class="head">
      <div>
        <h1 tabIndex={-1}>
          <Text>{person.profile?.full_name ?? person.username}</Text>
        </h1>
        <p class="row facts">
          <Mark of={person.status} />
          <Mark of={person.kyc?.status ?? "NOT_SUBMITTED"} />
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
      {act?.show({ person, onClose: close, set, reload })}
    </section>
  );
}
