import { call, newIp, type SignedIn } from "../../support/client.ts";
import { file, jpeg, png } from "../../support/documents.ts";
import { KYC, newNumber, pathOf, whole } from "../../support/kyc.ts";
import { type Flow, flow, type Run, traceless, withAndWithoutKey } from "../flow-table.ts";
import { expectEnded, must, newUser, someStaff, sql } from "../people.ts";

const parts = () => ({
  document_number: newNumber(),
  document_front: file(jpeg()),
  document_back: file(png()),
});

export const submitted = async (): Promise<SignedIn> => {
  const user = await newUser();
  await must("POST", KYC, { token: user.access, multipart: whole() });
  return user;
};

const scopeOf = (...users: SignedIn[]) => ({ userIds: users.map(({ userId }) => userId), hasFiles: true });

/** A submission repeated without a key is a new one, which replaces the previous one. */
const keyedOnly = (plain: Flow): Flow[] => withAndWithoutKey(plain).slice(1);

const submit = flow(
  "POST users/kyc",
  async () => {
    const user = await newUser();
    return {
      scope: scopeOf(user),
      request: { method: "POST", path: KYC, options: { token: user.access, multipart: parts() } },
      success: 201,
    };
  },
  { isSwept: true },
);

/** The same submission repeated with its key, which returns the result of the first one. */
const submitAgain = flow("POST users/kyc repeated under its key", async () => {
  const user = await newUser();
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  const options = { token: user.access, multipart: parts(), headers };
  await must("POST", KYC, options);
  return { scope: scopeOf(user), request: { method: "POST", path: KYC, options }, success: 201 };
});

const amend = flow(
  "PATCH users/kyc",
  async () => {
    const user = await submitted();
    const multipart = { document_front: file(png()) };
    return {
      scope: scopeOf(user),
      request: { method: "PATCH", path: KYC, options: { token: user.access, multipart } },
    };
  },
  { isSwept: true },
);

const show = flow("GET users/kyc", async () => {
  const user = await submitted();
  return { scope: scopeOf(user), request: { method: "GET", path: KYC, options: { token: user.access } } };
});

/** Path of a link to the user's front file, as given to the viewer. */
async function linkFor({ userId }: SignedIn, reviewer?: SignedIn, access = ""): Promise<string> {
  if (!reviewer) return pathOf((await must("GET", KYC, { token: access })).data.document_front_url);
  const { data } = await must("GET", `/api/users/${userId}`, { token: reviewer.access });
  return pathOf(data.kyc.document_front_url);
}

const openFile = (name: string, prepare: () => Promise<Run>, mayRepeat = /nothing/) =>
  flow(name, prepare, { mayRepeat });

const ownFile = openFile("GET users/kyc/documents by the owner", async () => {
  const user = await submitted();
  const path = await linkFor(user, undefined, user.access);
  return { scope: scopeOf(user), request: { method: "GET", path, options: {} } };
});

const headOfFile = flow("HEAD users/kyc/documents", async () => {
  const user = await submitted();
  const path = await linkFor(user, undefined, user.access);
  return { scope: scopeOf(user), request: { method: "HEAD", path, options: {} } };
});

const staffFile = openFile(
  "GET users/kyc/documents by staff",
  async () => {
    const [user, reviewer] = [await submitted(), await someStaff()];
    const path = await linkFor(user, reviewer);
    return { scope: scopeOf(user), request: { method: "GET", path, options: {} } };
  },
  /^audit VIEW/,
);

const queue = flow("GET users/kyc/submissions", async () => {
  const reviewer = await someStaff();
  const path = `${KYC}/submissions?status=PENDING&mask=true`;
  return { scope: {}, request: { method: "GET", path, options: { token: reviewer.access } } };
});

/** It shows the submissions of other flows, whose views are not compared. */
const unmasked = flow("GET users/kyc/submissions unmasked", async () => {
  const reviewer = await someStaff();
  return {
    scope: {},
    request: { method: "GET", path: `${KYC}/submissions?page_size=1`, options: { token: reviewer.access } },
  };
});

const openCase = flow(
  "GET users/{id}/kyc",
  async () => {
    const [user, reviewer] = [await submitted(), await someStaff()];
    const path = `/api/users/${user.userId}/kyc`;
    return { scope: scopeOf(user), request: { method: "GET", path, options: { token: reviewer.access } } };
  },
  { mayRepeat: /^audit VIEW/ },
);

const reopen = flow("PATCH users/{id}/kyc PENDING", async () => {
  const [user, reviewer] = [await submitted(), await someStaff()];
  await sql("update kyc set status = 'REJECTED' where user_id = ?", user.userId);
  const path = `/api/users/${user.userId}/kyc`;
  const options = { token: reviewer.access, json: { status: "PENDING", reason: "A mistake" } };
  // A submission that is not decided cannot be taken back.
  return { scope: scopeOf(user), request: { method: "PATCH", path, options }, repeated: [409] };
});

const firstApproval = flow("PATCH users/{id}/kyc as the first of two", async () => {
  const [user, reviewer] = [await submitted(), await someStaff()];
  await call("GET", await linkFor(user, reviewer));
  const path = `/api/users/${user.userId}/kyc`;
  const env = { KYC_APPROVALS: "2" } as unknown as Partial<Env>;
  const options = { token: reviewer.access, json: { status: "APPROVED" }, env };
  return { scope: scopeOf(user), request: { method: "PATCH", path, options }, repeated: [409] };
});

const decide = (json: Record<string, string>) =>
  flow(`PATCH users/{id}/kyc ${json.status}`, async () => {
    const [user, reviewer] = [await submitted(), await someStaff()];
    await call("GET", await linkFor(user, reviewer));
    const path = `/api/users/${user.userId}/kyc`;
    return {
      scope: scopeOf(user),
      request: { method: "PATCH", path, options: { token: reviewer.access, json } },
      // An approved submission is already decided.
      repeated: [409],
    };
  });

const deletion = flow(
  "deletion of an account with files",
  async () => {
    const user = await submitted();
    await sql("update sessions set created_at = ? where user_id = ?", Date.now(), user.userId);
    return {
      scope: scopeOf(user),
      request: { method: "DELETE", path: "/api/auth/account", options: { token: user.access, ip: newIp() } },
      repeated: [401],
      onSuccess: () => expectEnded(user),
    };
  },
  { isSwept: true },
);

export const kycFlows = [
  ...keyedOnly(submit),
  traceless(submitAgain),
  ...keyedOnly(amend),
  traceless(show),
  ownFile,
  traceless(headOfFile),
  staffFile,
  traceless(queue),
  traceless(unmasked),
  openCase,
  reopen,
  firstApproval,
  decide({ status: "APPROVED" }),
  decide({ status: "REJECTED", rejection_reason: "Blurred" }),
  deletion,
];
