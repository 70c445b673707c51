import { expectEnded } from "./actions.ts";
import { type Call, call } from "./http.ts";
import { count, liveSessions, type Person } from "./journal.ts";
import { newIdentifier } from "./sign-in.ts";
import { recordProblem, type World } from "./world.ts";

// Staff actions. Their responses are never lost, because a repeated view is recorded twice.

/** Calls as one of the staff members. */
function byStaff(world: World, what: Omit<Call, "ip" | "token">): Promise<Awaited<ReturnType<typeof call>>> {
  const member = world.pick(world.staff);
  const [session] = liveSessions(member);
  return call(world, { ...what, ip: member.ip, token: session?.access });
}

/** Reads two pages of the directory, with or without a filter. */
export async function listDirectory(world: World): Promise<void> {
  const filter = world.pick([
    "",
    "&status=ACTIVE",
    "&kyc_status=PENDING",
    "&phone_verified=true&ordering=username",
    "&ordering=-last_login",
  ]);
  const first = await byStaff(world, { method: "GET", path: `/api/users?page_size=20${filter}`, expect: [200] });
  const cursor = first.data.pagination.next_cursor;
  if (cursor) {
    const path = `/api/users?page_size=20${filter}&cursor=${encodeURIComponent(cursor)}`;
    const second = await byStaff(world, { method: "GET", path, expect: [200] });
    const seen = new Set(first.data.results.map(({ id }: { id: string }) => id));
    // Only in the last_login order can a user move to another page between two reads, by signing in.
    const isDoubled = second.data.results.some(({ id }: { id: string }) => seen.has(id));
    if (isDoubled && !filter.includes("last_login")) recordProblem(world, "two pages of the directory share a user");
  }
}

/** Searches for a user: a full identifier finds its owner immediately. */
export async function search(world: World, person: Person): Promise<void> {
  const { identifier } = person;
  const isWhole = world.chance(0.5);
  const text = isWhole ? identifier : identifier.slice(0, world.pick([3, 6, 9, 11]));
  const path = `/api/users?search=${encodeURIComponent(text)}`;
  const { data } = await byStaff(world, { method: "GET", path, expect: [200] });
  const isFound = data.results.some(({ id }: { id: string }) => id === person.userId);
  if (isWhole && !isFound) recordProblem(world, "a search for a complete identifier does not find who has it");
}

/** Reads the user's detail, audit log and sessions. */
export async function look(world: World, person: Person): Promise<void> {
  await byStaff(world, { method: "GET", path: `/api/users/${person.userId}`, expect: [200] });
  count(person.audits, "VIEW user");
  await byStaff(world, { method: "GET", path: `/api/users/${person.userId}/audit-logs`, expect: [200] });
  count(person.audits, "VIEW audit_log");
  const { data } = await byStaff(world, { method: "GET", path: `/api/users/${person.userId}/sessions`, expect: [200] });
  if (data.length !== liveSessions(person).length) recordProblem(world, "staff see a wrong number of sessions");
}

/** Reads the queue, opens a user's files and decides. */
export async function reviewKyc(world: World, person: Person): Promise<void> {
  if (person.kyc?.status !== "PENDING") return;
  const queue = await byStaff(world, {
    method: "GET",
    path: "/api/users/kyc/submissions?status=PENDING",
    expect: [200],
  });
  const shown = new Set(queue.data.results.map(({ user }: { user: { id: string } }) => user.id));
  for (const each of world.journal.people) if (shown.has(each.userId)) count(each.audits, "VIEW kyc");
  const member = world.pick(world.staff);
  const staffOnly = { ...world, staff: [member] };
  const decide = (json: object, expect: Call["expect"]) =>
    byStaff(staffOnly, { method: "PATCH", path: `/api/users/${person.userId}/kyc`, json, expect });
  if (world.chance(0.5)) {
    await decide({ status: "REJECTED", rejection_reason: "Not readable" }, [200]);
    person.kyc.status = "REJECTED";
  } else {
    if (world.chance(0.2)) await decide({ status: "APPROVED" }, ["409 kyc_not_viewed"]);
    const { data } = await byStaff(staffOnly, { method: "GET", path: `/api/users/${person.userId}`, expect: [200] });
    count(person.audits, "VIEW user");
    const links = [data.kyc.document_front_url, data.kyc.document_back_url].filter(Boolean);
    for (const link of links) {
      await call(world, { method: "GET", path: String(link), ip: member.ip, expect: [200] });
      count(person.audits, "VIEW kyc_document");
    }
    await decide({ status: "APPROVED" }, [200]);
    person.kyc.status = "APPROVED";
  }
  count(person.audits, "UPDATE kyc");
  // The response shows the document number.
  count(person.audits, "VIEW kyc");
}

/** Bans the user: none of their tokens is accepted any more. */
export async function ban(world: World, person: Person): Promise<void> {
  await changeStatus(world, person, "BANNED");
  person.status = "BANNED";
  await expectEnded(world, person, liveSessions(person));
}

/** Unbans the user. */
export async function unban(world: World, person: Person): Promise<void> {
  await changeStatus(world, person, "ACTIVE");
  person.status = "ACTIVE";
}

async function changeStatus(world: World, person: Person, status: Person["status"]): Promise<void> {
  const json = { status, reason: "Load" };
  await byStaff(world, { method: "POST", path: `/api/users/${person.userId}/status`, json, expect: [200] });
  count(person.audits, "UPDATE user");
  // The response shows the user.
  count(person.audits, "VIEW user");
  count(person.notices, status === "BANNED" ? "ACCOUNT_BANNED" : "ACCOUNT_ACTIVATED");
}

/** Creates an account for a new identifier. */
export async function invite(world: World): Promise<{ userId: string; identifier: string; referralCode: string }> {
  const identifier = newIdentifier(world);
  const { data } = await byStaff(world, { method: "POST", path: "/api/users", json: { identifier }, expect: [201] });
  return { userId: data.id, identifier, referralCode: data.referral_code };
}
