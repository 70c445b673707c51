import { call } from "../api/call.ts";
import { Head } from "../ui/head.tsx";
import { Loaded, useResource } from "../ui/resource.tsx";
import { Moment, number, plain } from "../ui/words.tsx";

/** A job that has not finished this long after it was due is late, in milliseconds. */
const LATE_MS = 60 * 60_000;

/** The last run of each job. */
export function Jobs() {
  const jobs = useResource("jobs", () => call("GET /staff/jobs"));
  return (
    <>
      <Head title="Jobs" again={jobs.reload} />
      <Loaded of={jobs}>
        {(runs) =>
          runs.length === 0 ? (
            <p class="empty">No job has run yet.</p>
          ) : (
            <table class="cards">
              <thead>
                <tr>
                  <th scope="col">Job</th>
                  <th scope="col">Due</th>
                  <th scope="col">Finished</th>
                  <th scope="col">Rows changed</th>
                  <th scope="col">Steps</th>
                </tr>
              </thead>
              <tbody>
                {runs.map((run) => {
                  const isLate = !run.finished_at && Date.now() - Date.parse(run.period_started_at) > LATE_MS;
                  return (
                    <tr key={run.name}>
                      <td>
                        <strong>{plain(run.name)}</strong>
                        <span class="under">{run.name}</span>
                      </td>
                      <td data-name="Due">
                        <Moment at={run.period_started_at} />
                      </td>
                      <td data-name="Finished">
                        {run.finished_at ? (
                          <>
                            {run.closed_as && <span class="mark bad">Failed</span>} <Moment at={run.finished_at} />
                          </>
                        ) : (
                          <span class={`mark ${isLate ? "bad" : "warn"}`}>{isLate ? "Late" : "Running"}</span>
                        )}
                      </td>
                      <td data-name="Rows changed">{number(run.processed)}</td>
                      <td data-name="Steps">{number(run.chunks)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          )
        }
      </Loaded>
    </>
  );
}
