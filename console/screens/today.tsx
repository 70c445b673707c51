import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { useUser } from "../api/session.ts";
import { Head } from "../ui/head.tsx";
import { Plot } from "../ui/plot.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Link } from "../ui/router.tsx";
import { ago, number } from "../ui/words.tsx";

type Overview = DataOf<"GET /staff/overview">;

const SPANS = [7, 30, 90] as const;
const REFRESH_MS = 60_000;

/** What waits now, and the figures of the last days. */
export function Today() {
  const [days, setDays] = useState<number>(30);
  const overview = useResource(String(days), () => call("GET /staff/overview", { query: { days } }));
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && overview.reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [overview.reload]);
  return (
    <>
      <Head title="Today">
        <fieldset class="row" aria-label="Days shown">
          {SPANS.map((span) => (
            <button key={span} type="button" aria-pressed={days === span} onClick={() => setDays(span)}>
              {span} days
            </button>
          ))}
        </fieldset>
      </Head>
      <Loaded of={overview}>
        {(data) => (
          <>
            <Tiles now={data.now} />
            <Plots data={data} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Tiles({ now }: { now: Overview["now"] }) {
  const isAdmin = useUser().role === "admin";
  return (
    <div class="tiles">
      <Tile name="Documents waiting" to="/review" value={number(now.kyc_pending)}>
        {now.kyc_oldest_at ? `the oldest was sent ${ago(now.kyc_oldest_at)}` : "none"}
      </Tile>
      <Tile name="SMS today" to="/delivery" value={number(now.sms_taken)}>
        <meter
          min={0}
          max={Math.max(1, now.sms_budget)}
          high={now.sms_budget * 0.8}
          optimum={0}
          value={now.sms_taken}
          aria-label="Share of today's SMS budget used"
        />
        of {number(now.sms_budget)}
      </Tile>
      <Tile name="Sign-in locks" value={number(now.locks)}>
        active, on phone numbers and email addresses
      </Tile>
      <Tile name="Dead letters" {...(isAdmin ? { to: "/letters" } : {})} value={number(now.dead_letters)}>
        {now.dead_letters === 0 ? "no message failed for good" : "waiting for an admin"}
      </Tile>
    </div>
  );
}

interface TileProps {
  name: string;
  value: string;
  to?: string;
  children: ComponentChildren;
}

function Tile({ name, value, to, children }: TileProps) {
  return (
    <section class="card tile">
      <h2>{to ? <Link to={to}>{name}</Link> : name}</h2>
      <p class="big">{value}</p>
      <p class="small">{children}</p>
    </section>
  );
}

const addSeries = (a: readonly number[], b: readonly number[]) => a.map((value, i) => value + (b[i] ?? 0));

function Plots({ data: { days, series } }: { data: Overview }) {
  const requested = addSeries(series.codes_asked_sms, series.codes_asked_email);
  const delivered = addSeries(series.codes_delivered_sms, series.codes_delivered_email);
  return (
    <div class="grid">
      <Plot title="Sign-ups" days={days} lines={[{ name: "New accounts", values: series.sign_ups }]} />
      <Plot title="Sign-ins" days={days} lines={[{ name: "Sessions opened", values: series.sign_ins }]} />
      <Plot
        title="Codes"
        days={days}
        lines={[
          { name: "Requested", values: requested },
          { name: "Delivered", values: delivered },
          { name: "Verified", values: series.codes_verified },
        ]}
      />
      <Plot
        title="SMS"
        days={days}
        lines={[{ name: "Sent", values: series.sms_spent }]}
        note={`Today's budget is ${number(series.sms_budget.at(-1) ?? 0)}.`}
      />
      <Plot
        title="Identity documents"
        days={days}
        lines={[
          { name: "Waiting", values: series.kyc_waiting },
          { name: "Decided", values: series.kyc_decided },
        ]}
      />
      <Plot
        title="Refused and failed requests"
        days={days}
        lines={[
          { name: "Over a limit", values: series.refused_limit },
          { name: "Not signed in", values: series.refused_unauthenticated },
          { name: "Not allowed", values: series.refused_forbidden },
          { name: "Server errors", values: series.failed },
        ]}
        note="A lower bound: what a server counted in its last minute is lost when it stops."
      />
      <Plot title="Dead letters" days={days} lines={[{ name: "Failed for good", values: series.dead_letters }]} />
    </div>
  );
}
