import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Moment, number, plain, Text } from "../ui/words.tsx";

type Data = DataOf<"GET /users/{id}/access">;

/** Why somebody cannot sign in or is not reached: locks, codes and what became of them, devices, notifications. */
export function Access({ id }: { id: string }) {
  const access = useResource(id, () => call("GET /users/{id}/access", { id }));
  return (
    <Loaded of={access}>
      {(data) => (
        <>
          <Locks locks={data.locks} />
          <Codes codes={data.codes} />
          <Devices devices={data.devices} />
          <Notices notices={data.notifications} />
        </>
      )}
    </Loaded>
  );
}

const NAMES = { email: "Email", phone_number: "Mobile number" };

function Locks({ locks }: { locks: Data["locks"] }) {
  return (
    <section class="card">
      <h2>Sign-in locks</h2>
      {locks.length === 0 ? (
        <p class="none">No wrong codes were counted.</p>
      ) : (
        <table class="plain cards">
          <thead>
            <tr>
              <th scope="col">For</th>
              <th scope="col">From</th>
              <th scope="col">Wrong codes</th>
              <th scope="col">Locked until</th>
            </tr>
          </thead>
          <tbody>
            {locks.map((lock) => (
              <tr key={`${lock.identifier} ${lock.network ?? lock.network_class}`}>
                <td data-name="For">{NAMES[lock.identifier]}</td>
                <td data-name="From">
                  {lock.network ? (
                    <code>{lock.network}</code>
                  ) : lock.network_class === "familiar" ? (
                    "all known networks"
                  ) : (
                    "all unknown networks"
                  )}
                </td>
                <td data-name="Wrong codes">{number(lock.failures)}</td>
                <td data-name="Locked until">
                  {lock.is_closed ? (
                    <span class="mark bad">Closed: unlock, or a sign-in from a known network</span>
                  ) : lock.locked_until ? (
                    <strong>
                      <Moment at={lock.locked_until} />
                    </strong>
                  ) : (
                    <span class="none">not locked</span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

type Code = Data["codes"][number];

/** What became of a code, in words to say to a caller. */
function Outcome({ code }: { code: Code }) {
  if (code.verified_at) {
    return (
      <>
        <span class="mark good">Entered</span> <Moment at={code.verified_at} />
      </>
    );
  }
  if (code.undeliverable_at) {
    return (
      <>
        <span class="mark bad">Not sent</span> <Moment at={code.undeliverable_at} />
      </>
    );
  }
  if (code.delivered_at) {
    return (
      <>
        <span class="mark info">Delivered, not entered</span> <Moment at={code.delivered_at} />
      </>
    );
  }
  return <span class="mark warn">On its way</span>;
}

function Codes({ codes }: { codes: Code[] }) {
  return (
    <section class="card">
      <h2>Codes of the last 24 hours</h2>
      {codes.length === 0 ? (
        <p class="none">No code was asked for.</p>
      ) : (
        <table class="plain cards">
          <thead>
            <tr>
              <th scope="col">Asked</th>
              <th scope="col">By</th>
              <th scope="col">From</th>
              <th scope="col">Tries</th>
              <th scope="col">What became of it</th>
            </tr>
          </thead>
          <tbody>
            {codes.map((code) => (
              <tr key={code.created_at}>
                <td data-name="Asked">
                  <Moment at={code.created_at} />
                </td>
                <td data-name="By">{code.channel === "sms" ? "SMS" : "Email"}</td>
                <td data-name="From">{code.network_class === "familiar" ? "a known network" : "an unknown network"}</td>
                <td data-name="Tries">{code.tries === null ? "–" : number(code.tries)}</td>
                <td data-name="Outcome">
                  <Outcome code={code} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Devices({ devices }: { devices: Data["devices"] }) {
  return (
    <section class="card">
      <h2>Devices</h2>
      {devices.length === 0 ? (
        <p class="none">No app or browser is registered for notifications.</p>
      ) : (
        <table class="plain cards">
          <thead>
            <tr>
              <th scope="col">Device</th>
              <th scope="col">App</th>
              <th scope="col">Notifications</th>
              <th scope="col">Last used</th>
            </tr>
          </thead>
          <tbody>
            {devices.map((device) => (
              <tr key={device.id}>
                <td>
                  <Text none={plain(device.device_type)}>{device.device_name}</Text>{" "}
                  <small>
                    {plain(device.device_type)} {device.os_version}
                  </small>
                </td>
                <td data-name="App">
                  <Text>{device.app_version}</Text>
                </td>
                <td data-name="Notifications">
                  <span class={`mark ${device.can_push ? "good" : "muted"}`}>
                    {device.can_push ? "Can be reached" : "Cannot be reached"}
                  </span>
                </td>
                <td data-name="Last used">
                  <Moment at={device.last_used_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Notices({ notices }: { notices: Data["notifications"] }) {
  return (
    <section class="card">
      <h2>Notifications in the app</h2>
      {notices.length === 0 ? (
        <p class="none">No notifications yet.</p>
      ) : (
        <ul class="list">
          {notices.map((notice) => (
            <li key={notice.id}>
              <strong>
                <Text>{notice.title}</Text>
              </strong>{" "}
              <small>
                <Moment at={notice.created_at} />, {notice.is_read ? "read" : "not read"}
              </small>
              <p>
                <Text>{notice.message}</Text>
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
