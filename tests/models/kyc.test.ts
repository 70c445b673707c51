import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Answer, type CallOptions, call, newIp, testEnv } from "../support/client.ts";
import { run } from "../support/database.ts";
import { file, jpeg, png } from "../support/documents.ts";
import { newId } from "../support/ids.ts";
import { documentIdOf, KYC, newNumber, pathOf } from "../support/kyc.ts";
import { fakeProviders, newPerson, type Person, type Providers } from "../support/openid.ts";
import { consume } from "../support/queue.ts";
import { type KycModel, newKycModel, type Outcome } from "./kyc-model.ts";
import { checkModel, command, inTurn, wait } from "./run-model.ts";

/** A person who signs in again when their access token is about to expire. */
interface Actor {
  person: Person;
  userId: string;
  access: string;
  at: number;
}

interface Real {
  owner: Actor;
  reviewers: [Actor, Actor];
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

async function ask(actor: Actor, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  if (Date.now() - actor.at > 9 * MINUTE) await enter(actor);
  return call(method, path, { env: providers.env, ip: newIp(), token: actor.access, ...options });
}

async function enter(actor: Actor): Promise<Actor> {
  const json = await providers.nativeSignIn("google", actor.person);
  const { body } = await call("POST", "/api/auth/google/token", { env: providers.env, ip: newIp(), json });
  return Object.assign(actor, { userId: body.data.user_id, access: body.data.access_token, at: Date.now() });
}

const outcomeOf = ({ status, body }: Answer): Outcome => (status < 300 ? "ok" : body.error.code);

/** Expects the bucket to contain the files of the model. */
async function expectFiles(model: KycModel, { owner }: Real): Promise<void> {
  const { objects } = await testEnv.KYC_BUCKET.list({ prefix: `kyc/${owner.userId}/` });
  expect(objects.map(({ key }) => key.split("/")[2]).sort()).toEqual(model.stored());
}

const submit = (kind: "submit" | "amend", sends: { number: boolean; front: boolean; back: boolean }) =>
  command<KycModel, Real>(`${kind} ${JSON.stringify(sends)}`, async (model, real) => {
    const multipart: Record<string, string | File> = {
      ...(sends.number ? { document_number: newNumber() } : { document_type: "PASSPORT" }),
      ...(sends.front ? { document_front: file(jpeg()) } : {}),
      ...(sends.back ? { document_back: file(png()) } : {}),
    };
    const expected = model.maySubmit(kind, sends.front || sends.back, Date.now());
    const answer = await ask(real.owner, kind === "submit" ? "POST" : "PATCH", KYC, { multipart });
    expect(outcomeOf(answer)).toBe(expected);
    if (expected !== "ok") return;
    const { document_front_url: front, document_back_url: back } = answer.body.data;
    const ids = {
      ...(sends.front ? { front: documentIdOf(front) } : {}),
      ...(sends.back ? { back: documentIdOf(back) } : {}),
    };
    model.submitted(kind, ids, Date.now());
    await expectFiles(model, real);
  });

/** The reviewer opens the given sides through the links in the list of submissions. */
const look = (reviewer: 0 | 1, sides: ("front" | "back")[]) =>
  command<KycModel, Real>(
    `reviewer ${reviewer} looks at ${sides}`,
    async (model, real) => {
      const answer = await ask(
        real.reviewers[reviewer],
        "GET",
        `${KYC}/submissions?status=${model.status}&page_size=100`,
      );
      const found = answer.body.data.results.find(
        (each: { user: { id: string } }) => each.user.id === real.owner.userId,
      );
      expect(found).toMatchObject({ status: model.status, version: model.version, rejection_reason: model.reason });
      for (const side of sides) {
        const url = found[`document_${side}_url`];
        expect(url && documentIdOf(url)).toBe(model[side]?.id ?? null);
        if (!url) continue;
        model.links.push({ url: pathOf(url), file: documentIdOf(url), at: Date.now() });
        expect((await call("GET", pathOf(url), { env: providers.env })).status).toBe(200);
        model.view(documentIdOf(url), reviewer, Date.now());
      }
    },
    (model) => model.status !== "NOT_SUBMITTED",
  );

/** Opens an earlier link; it works only while it is fresh and its file is still part of the submission. */
const openLink = (age: number) =>
  command<KycModel, Real>(
    `open link ${age}`,
    async (model) => {
      const link = model.links.at(-1 - age);
      if (!link) return;
      const { status } = await call("HEAD", link.url, { env: providers.env });
      expect(status).toBe(model.isOpen(link, Date.now()) ? 200 : 404);
    },
    (model) => model.links.length > age,
  );

const decide = (
  reviewer: 0 | 1,
  status: "APPROVED" | "REJECTED",
  reason: string | null,
  about: "any" | "this" | "before",
) =>
  command<KycModel, Real>(`reviewer ${reviewer} says ${status} of ${about} version, ${reason}`, async (model, real) => {
    const version = { any: undefined, this: model.version, before: model.version - 1 }[about];
    const expected = model.decide(status, reviewer, reason, version);
    const json = {
      status,
      ...(reason ? { rejection_reason: reason } : {}),
      ...(version === undefined ? {} : { version }),
    };
    const answer = await ask(real.reviewers[reviewer], "PATCH", `/api/users/${real.owner.userId}/kyc`, { json });
    expect(outcomeOf(answer)).toBe(expected);
  });

const readOwn = command<KycModel, Real>("read one's own", async (model, { owner }) => {
  const answer = await ask(owner, "GET", `${KYC}/status`);
  expect(answer.body.data).toMatchObject({ status: model.status, rejection_reason: model.reason });
  expect(outcomeOf(await ask(owner, "GET", KYC))).toBe(model.status === "NOT_SUBMITTED" ? "not_found" : "ok");
});

/** A call that crashed after it stored its file. */
const die = command<KycModel, Real>("die after the put", async (model, { owner }) => {
  const id = crypto.randomUUID();
  const key = `kyc/${owner.userId}/${id}`;
  await run(
    `insert into kyc_documents (id, user_id, side, object_key, content_type, size_bytes, state, created_at)
      values (?, ?, 'front', ?, 'image/jpeg', 1, 'pending', ?)`,
    id,
    owner.userId,
    key,
    Date.now(),
  );
  await run("insert into kyc_uploads values (?, ?, 1, ?)", id, owner.userId, Date.now());
  await testEnv.KYC_BUCKET.put(key, "x");
  model.orphaned(id, Date.now());
});

const sweep = command<KycModel, Real>("sweep", async (model, real) => {
  const period = Date.now();
  await run("insert or replace into job_runs values ('sweep_kyc_uploads', ?, null, 0, 0, 0, null, null)", period);
  const payload = JSON.stringify({ name: "sweep_kyc_uploads", period_started_at: period });
  const message = { event_id: newId(), type: "job.due", user_id: null, payload, created_at: period };
  for (let i = 0; i < 3; i++) await consume([message], providers.env, 1, "tasks");
  model.sweep(period);
  await expectFiles(model, real);
});

type Step = ReturnType<typeof look>;
const pause: (milliseconds: number) => Step = wait;
const whole = { number: true, front: true, back: true };
const approve = decide(0, "APPROVED", null, "any");

/** The documents change between a reviewer's view and approval. */
const changeUnseen = (kind: "submit" | "amend", sends: typeof whole) =>
  inTurn(submit("submit", whole), look(0, ["front", "back"]), pause(SECOND), submit(kind, sends), approve, readOwn);
const sendTooOften = (milliseconds: number) =>
  inTurn(...Array.from({ length: 11 }, () => submit("submit", whole)), pause(milliseconds), submit("submit", whole));
const dieAndSweep = (milliseconds: number) => inTurn(die, pause(milliseconds), sweep);
const lookLate = (milliseconds: number) =>
  inTurn(submit("submit", whole), look(1, ["front", "back"]), pause(milliseconds), openLink(0), openLink(1));

const reviewer = fc.constantFrom(0 as const, 1 as const);
const times = [
  SECOND,
  MINUTE,
  5 * MINUTE - SECOND,
  5 * MINUTE,
  HOUR - SECOND,
  HOUR,
  HOUR + SECOND,
  DAY - SECOND,
  DAY,
  3 * DAY,
];
const sending = fc.record({ number: fc.constant(true), front: fc.constant(true), back: fc.boolean() });
const changing = fc.record({ number: fc.boolean(), front: fc.boolean(), back: fc.boolean() });

test("ASVS 2.3.1, 5.2.4: a user's KYC documents follow the model under any sequence of steps", {
  timeout: 3_600_000,
}, async () => {
  await checkModel<KycModel, Real>(
    [
      sending.map((sends) => submit("submit", sends)),
      changing.map((sends) => submit("amend", sends)),
      changing.map((sends) => submit("amend", sends)),
      fc
        .tuple(reviewer, fc.constantFrom<("front" | "back")[]>(["front"], ["front", "back"], ["front", "back"]))
        .map(([who, sides]) => look(who, sides)),
      fc
        .tuple(reviewer, fc.constantFrom<("front" | "back")[]>(["front", "back"]))
        .map(([who, sides]) => look(who, sides)),
      fc.nat(3).map(openLink),
      fc
        .tuple(fc.constantFrom("submit" as const, "amend" as const), changing)
        .map(([kind, sends]) =>
          changeUnseen(kind, { ...sends, number: true, front: sends.front || kind === "submit" }),
        ),
      fc.constantFrom(
        ...[DAY - SECOND, DAY].map(sendTooOften),
        ...[HOUR - SECOND, HOUR, HOUR + SECOND].map(dieAndSweep),
        ...[5 * MINUTE - SECOND, 5 * MINUTE].map(lookLate),
      ),
      fc
        .tuple(
          reviewer,
          fc.constantFrom("APPROVED" as const, "REJECTED" as const),
          fc.constantFrom("any" as const, "this" as const, "before" as const),
        )
        .map(([who, status, about]) => decide(who, status, status === "APPROVED" ? null : "blurred", about)),
      reviewer.map((who) => decide(who, "REJECTED", null, "any")),
      fc.constant(readOwn),
      fc.constant(die),
      fc.constant(sweep),
      fc.constantFrom(...times).map(wait),
      fc.constantFrom(...times.slice(0, 4)).map(wait),
    ],
    async () => {
      const fresh = () => enter({ person: newPerson("google"), userId: "", access: "", at: 0 });
      const [owner, first, second] = [await fresh(), await fresh(), await fresh()];
      await run("update users set role = 'staff' where id in (?, ?)", first.userId, second.userId);
      // Keeps the owner on the first page of every list: the oldest come first, and this is the year 9892.
      await run("update kyc set submitted_at = 25e13 where user_id <> ?", owner.userId);
      return { model: newKycModel(), real: { owner, reviewers: [first, second] } };
    },
    { share: 2, steps: 40 },
  );
});
