import { createMessageBatch } from "cloudflare:test";
import { env } from "cloudflare:workers";
import worker from "../../src/index.ts";
import { count, rows, run } from "../support/database.ts";
import { file, jpeg } from "../support/documents.ts";
import { newId } from "../support/ids.ts";
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
    const body = { event_id: newId(), type: "job.due", user_id: null, payload };
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

/**
 * R13: submissions, reviews and the sweeper at once: an approved version was viewed and stays, and the current
 * submission references a stored file.
 */
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

/** Calls of each kind in the race of approvals. */
const APPROVALS = 50;
const REOPENINGS = 10;

/**
 * R24: with two approvals needed, two reviewers approve a hundred times while the person submits anew and decisions are
 * taken back: no version is approved by one reviewer, or by one who has not seen it.
 */
export async function approvalsOfTwo(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const [user, ...reviewers] = [await newUser(), await newStaff(), await newStaff()] as const;
  await submit(user);
  for (const reviewer of reviewers) await look(reviewer, user);
  const [{ front_document_id: seenFront } = { front_document_id: "" }] = await rows<{ front_document_id: string }>(
    "select front_document_id from kyc where user_id = ?",
    user.userId,
  );
  const simulation = new Simulation(setting.seed, withSweeper(setting.handler ?? realHandler), setting.isCalm);
  const path = `/api/users/${user.userId}/kyc`;
  const by = (i: number, json: object) => ({
    method: "PATCH",
    path,
    options: {
      token: reviewers[i % 2]?.access ?? "",
      json,
      env: { KYC_APPROVALS: "2" } as unknown as Partial<Env>,
      headers: { ...headersOf(setting), "x-turns": String(1 + (i % 7)) },
    },
  });
  const anew = {
    method: "POST",
    path: KYC,
    options: {
      token: user.access,
      multipart: { document_number: newNumber(), document_front: file(jpeg({ width: 3 })) },
    },
  };
  const calls = [
    ...Array.from({ length: APPROVALS }, (_, i) => by(0, { status: "APPROVED", turn: i })),
    ...Array.from({ length: APPROVALS }, (_, i) => by(i, { status: "APPROVED", turn: i })),
    ...Array.from({ length: REOPENINGS }, (_, i) => by(i, { status: "PENDING", reason: "again" })),
    anew,
  ];
  const results = await simulation.race(calls);
  noServerErrors(verdict, results);
  const approvals = await rows<{ actor: string; first: string | null; front: string; version: number; before: number }>(
    `select actor_id as actor, old_values ->> 'first_approved_by' as first, new_values ->> 'document_front' as front,
      new_values ->> 'version' as version, old_values ->> 'version' as before
      from audit_logs where user_id = ? and by_staff = 1 and entity_type = 'kyc' and action = 'UPDATE'
      and new_values ->> 'status' = 'APPROVED'`,
    user.userId,
  );
  const isTwo = ({ actor, first }: { actor: string; first: string | null }) => first !== null && first !== actor;
  verdict.equal("approvals by one reviewer", approvals.filter((each) => !isTwo(each)).length, 0);
  verdict.equal("approvals of another version", approvals.filter((each) => each.version !== each.before).length, 0);
  verdict.equal("approvals of a file that nobody saw", approvals.filter(({ front }) => front !== seenFront).length, 0);
  const [kyc] = await rows<{ status: string; front_document_id: string; first_approved_by: string | null }>(
    "select * from kyc where user_id = ?",
    user.userId,
  );
  if (kyc?.front_document_id !== seenFront) {
    verdict.equal("status of a file that nobody saw", kyc?.status, "PENDING");
    verdict.equal("first approval of a file that nobody saw", kyc?.first_approved_by, null);
  }
  verdict.equal(
    "approvals answered and recorded",
    successes(results).filter(({ body }) => body.data?.status === "APPROVED").length,
    approvals.length,
  );
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
