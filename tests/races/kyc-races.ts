import { createMessageBatch } from "cloudflare:test";
import { env } from "cloudflare:workers";
import worker from "../../src/index.ts";
import { count, run } from "../support/database.ts";
import { file, jpeg } from "../support/documents.ts";
import { KYC, keysOf, look, newNumber, newStaff, newUser, submit } from "../support/kyc.ts";
import { type FetchHandler, realHandler, Simulation } from "../support/simulator/simulation.ts";
import { CLIENTS, headersOf, noServerErrors, type RaceSetting, successes, Verdict } from "./race.ts";

const SWEEP = "/sweep";

/**
 * The handler, with two additions: it delays a call by the number of steps in `x-turns`, without which reviews would
 * always come first, and it runs the sweeper on requests to `SWEEP`, as a queue message would.
 */
function withSweeper(handler: FetchHandler): FetchHandler {
  return async (request, bindings, context) => {
    const { pathname, search } = new URL(request.url);
    for (let turns = Number(request.headers.get("x-turns")); turns > 0; turns--) await bindings.KV.get("turn");
    if (pathname !== SWEEP) return handler(request, bindings, context);
    const payload = JSON.stringify({ name: "sweep_kyc_uploads", period_started_at: Number(search.slice(1)) });
    const body = { event_id: crypto.randomUUID(), type: "job.due", user_id: null, payload };
    const message = { id: "sweep", timestamp: new Date(), attempts: 1, body };
    await worker.queue(createMessageBatch("tasks", [message]), bindings, context);
    return Response.json({ success: true });
  };
}

/** Below the daily limit of uploads. */
const SUBMISSIONS = 8;
const REVIEWS = 20;

let period = 0;

/** Makes a run of the sweeper due and returns the call that performs it. */
async function sweep() {
  period += 1;
  await run("insert into job_runs values ('sweep_kyc_uploads', ?, null, 0, 0, 0, null, null)", period);
  return { method: "POST", path: `${SWEEP}?${period}` };
}

/** R13: concurrent submissions, reviews and sweeper: an approved version was viewed and stays, and every link leads to a file. */
export async function submissionsBesideReviews(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const [user, ...reviewers] = [await newUser(), await newStaff(), await newStaff()] as const;
  await run("update kyc set status = 'REJECTED' where status = 'PENDING'");
  await submit(user);
  for (const reviewer of reviewers) await look(reviewer, user);
  await run("delete from kyc_uploads where user_id = ?", user.userId);
  const simulation = new Simulation(setting.seed, withSweeper(setting.handler ?? realHandler), setting.isCalm);
  const submissions = Array.from({ length: SUBMISSIONS }, (_, i) => ({
    method: "POST",
    path: KYC,
    options: {
      token: user.access,
      multipart: { document_number: newNumber(), document_front: file(jpeg({ width: 1 + i })) },
      headers: setting.mode === "one idempotency key" ? {} : headersOf(setting),
    },
  }));
  const reviews = Array.from({ length: REVIEWS }, (_, i) => ({
    method: "PATCH",
    path: `/api/users/${user.userId}/kyc`,
    options: {
      token: reviewers[i % 2]?.access ?? "",
      json: { status: "APPROVED" },
      headers: { ...headersOf(setting), "x-turns": String(1 + (i % 5)) },
    },
  }));
  // In the calm run the first submissions precede the reviews, which then find a version that nobody has viewed.
  const calls = [
    ...submissions.slice(0, SUBMISSIONS / 2),
    ...reviews,
    ...submissions.slice(SUBMISSIONS / 2),
    await sweep(),
    await sweep(),
  ];
  const results = await simulation.race(calls);
  noServerErrors(verdict, results);
  const made = (method: string) =>
    successes(results.filter((_, i) => calls[i]?.method === method && !calls[i]?.path.startsWith(SWEEP)));
  const kyc = await env.DB.prepare("select * from kyc where user_id = ?")
    .bind(user.userId)
    .first<Record<string, unknown>>();
  const approvals = made("PATCH").length;
  verdict.atMost("approvals", approvals, 1);
  verdict.equal("status", kyc?.status, approvals === 1 ? "APPROVED" : "PENDING");
  verdict.equal("versions", kyc?.version, 1 + made("POST").length);
  const front = String(kyc?.front_document_id);
  if (approvals === 1) {
    verdict.equal(
      "looks of reviewers at what is approved",
      await count("from kyc_document_views where document_id = ?", front),
      2,
    );
  }
  verdict.equal(
    "rows of live files",
    await count("from kyc_documents where user_id = ? and state = 'live'", user.userId),
    1,
  );
  verdict.equal(
    "the file that is named, live",
    await count("from kyc_documents where id = ? and state = 'live'", front),
    1,
  );
  const key = `kyc/${user.userId}/${front}`;
  verdict.equal("the file that is named, in the bucket", (await keysOf(user)).includes(key), true);
  // Ages the rows by an hour and a minute; the bucket's own clock cannot be moved.
  const later = await sweep();
  const now = Date.now();
  await run(
    "update kyc_documents set created_at = created_at - 3660000 where user_id = ? and state <> 'live'",
    user.userId,
  );
  await new Simulation(setting.seed, withSweeper(realHandler), true).race([later]);
  verdict.equal("time stood still", Date.now(), now);
  verdict.equal("files after the sweep", (await keysOf(user)).join(), key);
  outcomes.push(approvals);
  return verdict;
}

/** The number of approvals in each race: reviewers must win some races and submitters others. */
export const outcomes: number[] = [];

/** R13: one submission many times at once under one key: one version, one response and one stored file. */
export async function submissionsUnderOneKey(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await newUser();
  const simulation = new Simulation(setting.seed, setting.handler ?? realHandler, setting.isCalm);
  const document_number = newNumber();
  const results = await simulation.race(
    Array.from({ length: CLIENTS }, () => ({
      method: "POST",
      path: KYC,
      options: {
        token: user.access,
        multipart: { document_number, document_front: file(jpeg()) },
        headers: { "Idempotency-Key": "one-key-for-all-uploads" },
      },
    })),
  );
  noServerErrors(verdict, results);
  const fronts = successes(results).map(({ body }) => new URL(body.data.document_front_url).pathname);
  verdict.equal("different files in the answers", new Set(fronts).size, 1);
  verdict.equal(
    "version",
    await env.DB.prepare("select version from kyc where user_id = ?").bind(user.userId).first("version"),
    1,
  );
  verdict.equal("audit rows", await count("from audit_logs where user_id = ? and entity_type = 'kyc'", user.userId), 1);
  verdict.equal("files", (await keysOf(user)).length, 1);
  return verdict;
}
