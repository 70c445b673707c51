import { beforeAll, describe, expect, test } from "vitest";
import { type Answer, type CallOptions, call, newEmail, newIp, newPhone, type SignedIn } from "../support/client.ts";
import { rows, run } from "../support/database.ts";
import { newId } from "../support/ids.ts";
import { newUser, submit, whole, withoutWriteLimit } from "../support/kyc.ts";
import { expectations } from "../support/matrix.ts";
import { newAdmin } from "../support/staff.ts";

// When a route shows staff the data that identify a person, it writes a VIEW row. If no row can be written, because
// the member of staff has used up the views of the hour, no route shows these data.

const reason = "asked by phone";
const ADDRESS = "Canary Lane 77";
const BORN = "1977-07-17";

/** A person who has every identifying field, with the values of these fields. */
interface Subject extends SignedIn {
  secrets: string[];
  email: string;
}

async function newSubject(): Promise<Subject> {
  const person = await newUser();
  const [email, number, sub] = [newEmail(), `CANARY-${crypto.randomUUID().slice(0, 8)}`, `sub-${crypto.randomUUID()}`];
  await run(
    "update users set email = ?, social_profile_data = json_object('sub', ?) where id = ?",
    email,
    sub,
    person.userId,
  );
  await call("PATCH", "/api/users/profile", {
    token: person.access,
    json: { full_name: "Asha Gurung", date_of_birth: BORN, address: ADDRESS },
  });
  const { status } = await submit(person, { ...whole(), document_number: number });
  expect(status).toBe(201);
  return { ...person, email, secrets: [email, person.identifier, number, sub, BORN, ADDRESS] };
}

/** The options of a call of each staff route. Each is called twice; most writes change nothing the second time. */
const calls: Record<string, (subject: Subject) => CallOptions & { query?: string }> = {
  "GET /api/users/kyc/submissions": () => ({ query: "page_size=100" }),
  "GET /api/users/{id}/kyc": () => ({}),
  "PATCH /api/users/{id}/kyc": () => ({ json: { status: "REJECTED", rejection_reason: "The picture is blurred." } }),
  "GET /api/users": ({ email }) => ({ query: `search=${encodeURIComponent(email)}&expand=summary` }),
  "POST /api/users": () => ({ json: { identifier: newPhone(), address: ADDRESS, date_of_birth: BORN } }),
  "GET /api/users/{id}": () => ({}),
  "POST /api/users/{id}/reveal": () => ({ json: { fields: ["email", "phone_number", "address"] } }),
  "GET /api/users/{id}/access": () => ({}),
  "POST /api/users/{id}/notes": () => ({ json: { text: reason } }),
  "PUT /api/users/{id}": () => ({ json: { full_name: "Asha G." } }),
  "PATCH /api/users/{id}": () => ({ json: { full_name: "A. Gurung" } }),
  "POST /api/users/{id}/status": () => ({ json: { status: "BANNED", reason } }),
  "PUT /api/users/{id}/role": () => ({ json: { role: "staff", reason } }),
  "POST /api/users/{id}/unlock": () => ({ json: { reason } }),
  "POST /api/users/{id}/passkey-reset": () => ({ json: { reason } }),
  "GET /api/users/{id}/sessions": () => ({}),
  "DELETE /api/users/{id}/sessions": () => ({}),
  "POST /api/users/{id}/analytics-report": () => ({}),
  "GET /api/users/{id}/analytics-report": () => ({}),
  "GET /api/users/{id}/audit-logs": () => ({}),
  "GET /api/staff/overview": () => ({}),
  "GET /api/staff/delivery": () => ({}),
  "GET /api/staff/members": () => ({}),
  "GET /api/staff/audit-logs": () => ({ query: `actor_id=${colleague.userId}` }),
  "GET /api/staff/dead-letters": () => ({ query: "page_size=100" }),
  "POST /api/staff/dead-letters": () => ({ json: { action: "DISCARD", ids: ["none"], reason } }),
  "GET /api/staff/jobs": () => ({}),
};

/** Routes that show identifying data to staff who have views left. */
const SHOWING = [
  "GET /api/users/kyc/submissions",
  "GET /api/users/{id}/kyc",
  "GET /api/users/{id}",
  "POST /api/users/{id}/reveal",
];

/** Has changed the subject, so that the trails have old and new values. */
let colleague: SignedIn;
beforeAll(async () => {
  colleague = await newAdmin();
});

/** A subject whose identifying values are also in the audit log and in a dead letter. */
async function newHistory(): Promise<Subject> {
  const subject = await newSubject();
  const token = colleague.access;
  const options = { token, json: { email: newEmail(), address: "Canary Lane 78", reason }, ip: newIp() };
  expect((await call("PATCH", `/api/users/${subject.userId}`, { ...options, env: withoutWriteLimit })).status).toBe(
    200,
  );
  await run("update users set email = ? where id = ?", subject.email, subject.userId);
  await run("update profiles set address = ? where user_id = ?", ADDRESS, subject.userId);
  await run(
    `insert into dead_letters (id, queue, type, user_id, reason, attempts, payload, created_at)
      values (?, 'tasks', 'user.identifier_changed', ?, 'test', 1, json_object('old_identifier', ?), ?)`,
    newId(),
    subject.userId,
    subject.email,
    Date.now(),
  );
  return subject;
}

async function callAs(viewer: SignedIn, operation: string, subject: Subject, env: Partial<Env> = {}): Promise<Answer> {
  const [method = "", path = ""] = operation.split(" ");
  const { query, ...options } = calls[operation]?.(subject) ?? {};
  const url = path.replace("{id}", subject.userId) + (query ? `?${query}` : "");
  return call(method, url, { ...options, token: viewer.access, ip: newIp(), env: { ...withoutWriteLimit, ...env } });
}

const shownIn = ({ body }: Answer, { secrets }: Subject) =>
  secrets.filter((secret) => JSON.stringify(body ?? {}).includes(secret));

const viewsOf = (viewer: SignedIn) =>
  rows<{ user_id: string }>(
    "select user_id from audit_logs where actor_id = ? and by_staff = 1 and action = 'VIEW'",
    viewer.userId,
  );

test("every route of staff is called", () => {
  const ofStaff = Object.entries(expectations).filter(([, { guard }]) => guard === "staff" || guard === "admin");
  expect(Object.keys(calls).toSorted()).toEqual(ofStaff.map(([operation]) => operation).toSorted());
});

describe.each(Object.keys(calls))("%s", (operation) => {
  test("writes a VIEW row if it shows data that identify a person", async () => {
    const [viewer, subject] = [await newAdmin(), await newHistory()];
    for (const time of ["first", "second"]) {
      const before = await viewsOf(viewer);
      const answer = await callAs(viewer, operation, subject);
      const added = (await viewsOf(viewer)).slice(before.length).map(({ user_id }) => user_id);
      if (time === "first" && SHOWING.includes(operation)) expect(shownIn(answer, subject)).not.toEqual([]);
      if (shownIn(answer, subject).length === 0) continue;
      const shown: string = operation === "POST /api/users" ? answer.body.data.id : subject.userId;
      expect(added, `${time}: ${shownIn(answer, subject)}`).toContain(shown);
    }
  });

  test("shows no data that identify a person once the views of the hour are used up", async () => {
    const [viewer, subject] = [await newAdmin(), await newHistory()];
    const env = { STAFF_VIEWS_PER_HOUR: "1" } as unknown as Partial<Env>;
    const other = await newUser();
    expect((await call("GET", `/api/users/${other.userId}`, { token: viewer.access, ip: newIp(), env })).status).toBe(
      200,
    );
    for (const time of ["first", "second"]) {
      const answer = await callAs(viewer, operation, subject, env);
      expect(shownIn(answer, subject), time).toEqual([]);
    }
    expect(await viewsOf(viewer)).toHaveLength(1);
  });
});
