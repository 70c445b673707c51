import { useEffect, useState } from "preact/hooks";
import { call } from "../api/call.ts";
import type { DataOf } from "../api/routes.ts";
import { useUser } from "../api/session.ts";
import { Head } from "../ui/head.tsx";
import { useKeys } from "../ui/keys.ts";
import { Refused, useResource } from "../ui/resource.tsx";
import { go, Link } from "../ui/router.tsx";
import { Case } from "./case.tsx";

type Waiting = DataOf<"GET /users/kyc/submissions">["results"][number];

/** A colleague who opened a case more recently than this is probably still at it, in milliseconds. */
const BUSY_MS = 5 * 60_000;
const QUEUE_SIZE = 20;

const isFree = ({ seen_by, approvals }: Waiting, userId: string) =>
  (seen_by === null || Date.now() - Date.parse(seen_by.viewed_at) > BUSY_MS) &&
  !approvals.some(({ viewer }) => viewer?.id === userId);

/** The review of identity documents: one case at a time, from a queue. */
export function Review({ id }: { id: string | undefined }) {
  const user = useUser();
  const queue = useResource("queue", () =>
    call("GET /users/kyc/submissions", { query: { mask: true, page_size: QUEUE_SIZE } }),
  );
  const [decided, setDecided] = useState<ReadonlySet<string>>(new Set());
  const waiting = (queue.data?.results ?? []).filter(({ user: { id } }) => !decided.has(id));
  const total = Math.max(0, (queue.data?.total_count ?? 0) - decided.size);
  const index = waiting.findIndex((each) => each.user.id === id);
  const first = waiting.find((each) => isFree(each, user.id))?.user.id;

  const open = (to: string | undefined) => go(to ? `/review/${to}` : "/review", id === undefined);
  const next = () => open(waiting[index + 1]?.user.id ?? waiting.find((each) => each.user.id !== id)?.user.id);
  const previous = () => index > 0 && open(waiting[index - 1]?.user.id);
  const settle = (settled: string, isShown: boolean) => {
    setDecided((before) => new Set([...before, settled]));
    if (isShown) next();
  };
  const reopen = (reopened: string) => setDecided((before) => new Set([...before].filter((each) => each !== reopened)));

  // The decided cases are left out until a newer page of the queue has arrived, however long that takes.
  useEffect(() => setDecided(new Set()), [queue.data]);
  const isPageDone = decided.size > 0 && waiting.length === 0;
  useEffect(() => {
    if (isPageDone) queue.reload();
  }, [isPageDone]);
  useEffect(() => {
    if (id === undefined && first !== undefined) open(first);
  }, [id, first]);
  useKeys(id === undefined ? {} : { j: next, k: previous });

  if (id !== undefined) {
    const place = index < 0 ? undefined : `${index + 1} of ${total}`;
    const steps = { next, previous: index > 0 ? previous : undefined };
    return <Case key={id} id={id} place={place} {...steps} settle={settle} reopen={reopen} />;
  }
  if (queue.refusal) return <Refused refusal={queue.refusal} again={queue.reload} />;
  if (queue.isLoading || isPageDone || first !== undefined) return <p class="loading">Loading…</p>;
  return <Nothing waiting={waiting} reload={queue.reload} />;
}

function Nothing({ waiting, reload }: { waiting: Waiting[]; reload: () => void }) {
  return (
    <>
      <Head title="Identity review" again={reload} />
      <div class="empty">
        <p>
          {waiting.length === 0
            ? "No documents wait for a decision."
            : "Colleagues are at the cases that wait, or they need another reviewer than you."}
        </p>
        {waiting.length > 0 && (
          <ul class="list">
            {waiting.map(({ user, full_name, seen_by }) => (
              <li key={user.id}>
                <Link to={`/review/${user.id}`}>{full_name ?? user.username}</Link>{" "}
                {seen_by && <small>opened by {seen_by.username}</small>}
              </li>
            ))}
          </ul>
        )}
      </div>
    </>
  );
}
