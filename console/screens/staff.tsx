import { call } from "../api/call.ts";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Link, useTitle } from "../ui/router.tsx";
import { Mark, Moment, number, Text } from "../ui/words.tsx";
import { Entries } from "./trail.tsx";

/** Colleagues, and what each has seen and done. */
export function Staff({ id }: { id: string | undefined }) {
  useTitle("Staff", false);
  const members = useResource("members", () => call("GET /staff/members"));
  return (
    <Loaded of={members}>
      {(all) => {
        const one = all.find((each) => each.id === id);
        return id ? <Acts key={id} id={id} name={one?.username ?? "Former colleague"} /> : <Colleagues all={all} />;
      }}
    </Loaded>
  );
}

function Colleagues({ all }: { all: Awaited<ReturnType<typeof call<"GET /staff/members">>> }) {
  useTitle("Staff");
  return (
    <>
      <h1 tabIndex={-1}>Staff</h1>
      <p class="small">To give somebody a role, open them under People and choose Role.</p>
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">Colleague</th>
            <th scope="col">Role</th>
            <th scope="col">Last sign-in</th>
            <th scope="col">Seen in 24 hours</th>
            <th scope="col">Changed in 24 hours</th>
          </tr>
        </thead>
        <tbody>
          {all.map((member) => (
            <tr key={member.id}>
              <td>
                <Link to={`/staff/${member.id}`} class="strong">
                  <Text>{member.username}</Text>
                </Link>
              </td>
              <td data-name="Role">
                <Mark of={member.role} />
              </td>
              <td data-name="Last sign-in">
                <Moment at={member.last_login} />
              </td>
              <td data-name="Seen">{number(member.views_24h)}</td>
              <td data-name="Changed">{number(member.acts_24h)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Acts({ id, name }: { id: string; name: string }) {
  useTitle("Staff");
  const ask = (cursor?: string) =>
    call("GET /staff/audit-logs", { query: { actor_id: id, ...(cursor ? { cursor } : {}) } });
  const first = useResource(id, () => ask());
  return (
    <>
      <p class="crumb">
        <Link to="/staff">Staff</Link>
      </p>
      <h1 tabIndex={-1}>
        <Text>{name}</Text>
      </h1>
      <p>
        <Link to={`/people/${id}`}>Open the account</Link>
      </p>
      <Loaded of={first}>{(page) => <Entries first={page} next={ask} />}</Loaded>
    </>
  );
}
