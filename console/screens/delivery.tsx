import { call } from "../api/call.ts";
import { Head } from "../ui/head.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Moment, number } from "../ui/words.tsx";

const CHANNELS = { sms: "SMS", email: "Email" };
const seconds = (ms: number | null) => (ms === null ? "–" : `${(ms / 1000).toFixed(1)} s`);

/** How codes were delivered in the last hour. */
export function Delivery() {
  const delivery = useResource("delivery", () => call("GET /staff/delivery"));
  return (
    <>
      <Head title="Delivery" again={delivery.reload} />
      <Loaded of={delivery}>
        {(data) => (
          <>
            <section class="card">
              <h2>Codes of the last hour</h2>
              <table class="plain cards">
                <thead>
                  <tr>
                    <th scope="col">By</th>
                    <th scope="col">Asked</th>
                    <th scope="col">Delivered</th>
                    <th scope="col">Not sent</th>
                    <th scope="col">Half within</th>
                    <th scope="col">95% within</th>
                  </tr>
                </thead>
                <tbody>
                  {data.channels.map((each) => (
                    <tr key={each.channel}>
                      <td>
                        <strong>{CHANNELS[each.channel]}</strong>
                      </td>
                      <td data-name="Asked">{number(each.asked)}</td>
                      <td data-name="Delivered">{number(each.delivered)}</td>
                      <td data-name="Not sent">{number(each.undeliverable)}</td>
                      <td data-name="Half within">{seconds(each.median_ms)}</td>
                      <td data-name="95% within">{seconds(each.p95_ms)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
            <div class="grid">
              <section class="card">
                <h2>Budget of today</h2>
                <ul class="list">
                  {data.budget.map((each) => (
                    <li key={each.channel}>
                      <strong>{CHANNELS[each.channel]}</strong> {number(each.taken)} of {number(each.budget)}
                      <meter
                        min={0}
                        max={Math.max(1, each.budget)}
                        high={each.budget * 0.8}
                        optimum={0}
                        value={each.taken}
                        aria-label={`${CHANNELS[each.channel]} of today's budget`}
                      />
                      <small>
                        refused: {number(each.refused_by_reserve)} kept for people with an account,{" "}
                        {number(each.refused_by_spent)} because it was spent
                      </small>
                    </li>
                  ))}
                </ul>
              </section>
              <section class="card">
                <h2>Providers</h2>
                {data.providers.length === 0 && <p class="none">No call of a provider has failed.</p>}
                <ul class="list">
                  {data.providers.map((each) => (
                    <li key={each.provider}>
                      <strong>{each.provider}</strong>{" "}
                      {each.opened_until ? (
                        <>
                          <span class="mark bad">Paused</span> until <Moment at={each.opened_until} />
                        </>
                      ) : (
                        <span class="mark good">Used</span>
                      )}{" "}
                      <small>{number(each.failures)} failures in a row</small>
                    </li>
                  ))}
                </ul>
              </section>
              <Most title="Numbers that asked most" rows={data.ranges.map(({ range, codes }) => [range, codes])} />
              <Most
                title="Networks that asked most"
                rows={data.networks.map(({ network, codes }) => [network, codes])}
              />
            </div>
          </>
        )}
      </Loaded>
    </>
  );
}

function Most({ title, rows }: { title: string; rows: [string, number][] }) {
  return (
    <section class="card">
      <h2>{title}</h2>
      {rows.length === 0 && <p class="none">Nobody asked for a code.</p>}
      <ul class="list">
        {rows.map(([name, codes]) => (
          <li class="row apart" key={name}>
            <code>{name}</code> <span>{number(codes)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
