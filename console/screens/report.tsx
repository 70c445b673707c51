import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { asRefusal, Refusal } from "../api/refusal.ts";
import type { DataOf } from "../api/routes.ts";
import { Loaded, Refused, useResource } from "../ui/resource.tsx";
import { Fact, Moment, number, plain } from "../ui/words.tsx";

type Data = DataOf<"GET /users/{id}/analytics-report">;

const WAIT_MS = 2_000;
const MAX_WAITS = 10;

const read = (id: string): Promise<Data | null> =>
  call("GET /users/{id}/analytics-report", { id }).catch((error) => {
    if (error instanceof Refusal && error.status === 404) return null;
    throw error;
  });

/** How the person uses the service, computed on demand and kept for an hour. */
export function Report({ id }: { id: string }) {
  const report = useResource(id, () => read(id));
  const [refusal, setRefusal] = useState<Refusal>();
  const [isWaiting, setWaiting] = useState(false);
  const order = async () => {
    setWaiting(true);
    setRefusal(undefined);
    try {
      await call("POST /users/{id}/analytics-report", { id });
      for (let i = 0; i < MAX_WAITS; i++) {
        await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
        const made = await read(id);
        if (made) return report.set(made);
      }
      setRefusal(new Refusal(0, "late", "The report takes longer than usual. Open this page again in a minute."));
    } catch (error) {
      setRefusal(asRefusal(error));
    } finally {
      setWaiting(false);
    }
  };
  return (
    <>
      <Loaded of={report}>
        {(data) =>
          data ? (
            <Figures data={data} />
          ) : (
            <div class="empty">
              <p>There is no report of the last hour.</p>
              <button type="button" class="primary" onClick={order} disabled={isWaiting}>
                {isWaiting ? "Being made…" : "Order a report"}
              </button>
            </div>
          )
        }
      </Loaded>
      {refusal && <Refused refusal={refusal} again={order} />}
    </>
  );
}

function Figures({ data }: { data: Data }) {
  return (
    <section class="card">
      <h2>Usage</h2>
      <dl class="columns">
        {Object.entries(data.usage).map(([name, value]) => (
          <Fact key={name} name={plain(name)}>
            {typeof value === "number" ? (
              number(value)
            ) : value?.includes("T") ? (
              <Moment at={value} />
            ) : (
              (value ?? <span class="none">–</span>)
            )}
          </Fact>
        ))}
        <Fact name="Balance">
          {data.wallet.currency} {data.wallet.balance}
        </Fact>
        <Fact name="Points">
          {number(data.points.current_points)} of {number(data.points.total_points)} ever earned
        </Fact>
      </dl>
      <div class="row apart">
        <p class="small">
          Made <Moment at={data.generated_at} />
        </p>
        <button type="button" class="no-print" onClick={() => print()}>
          Print
        </button>
      </div>
    </section>
  );
}
