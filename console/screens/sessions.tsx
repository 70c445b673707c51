import { call } from "../api/call.ts";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Moment, plain, Text } from "../ui/words.tsx";

/** Where the person is signed in. */
export function Sessions({ id }: { id: string }) {
  const sessions = useResource(id, () => call("GET /users/{id}/sessions", { id }));
  return (
    <Loaded of={sessions}>
      {(found) =>
        found.length === 0 ? (
          <p class="empty">The person is not signed in anywhere.</p>
        ) : (
          <table class="cards">
            <thead>
              <tr>
                <th scope="col">Device</th>
                <th scope="col">Signed in by</th>
                <th scope="col">Address</th>
                <th scope="col">Since</th>
                <th scope="col">Last used</th>
              </tr>
            </thead>
            <tbody>
              {found.map((session) => (
                <tr key={session.id}>
                  <td>
                    <Text none="Unknown device">{session.device_name ?? session.user_agent}</Text>
                    {session.current && <span class="mark info">This session</span>}
                  </td>
                  <td data-name="Signed in by">{plain(session.method)}</td>
                  <td data-name="Address">
                    <code>{session.ip}</code>
                  </td>
                  <td data-name="Since">
                    <Moment at={session.created_at} />
                  </td>
                  <td data-name="Last used">
                    <Moment at={session.last_used_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )
      }
    </Loaded>
  );
}
