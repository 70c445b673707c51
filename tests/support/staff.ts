import { type Answer, type CallOptions, newIp, newPhone, type SignedIn, signUp, testEnv } from "./client.ts";
import { rows } from "./database.ts";
import { newId } from "./ids.ts";
import { documented, newUser, promote } from "./kyc.ts";
import { consume } from "./queue.ts";
import type { HeldMessage } from "./simulator/queue.ts";

export const USERS = "/api/users";
export const DAY_MS = 86_400_000;
/** Offset of Kathmandu from UTC, 5:45 all year. */
export const KATHMANDU_MS = 5.75 * 3_600_000;

export async function newAdmin(): Promise<SignedIn> {
  const admin = await newUser();
  await promote(admin, "admin");
  return admin;
}

/** Signs up a user with the given or a new identifier. */
export const person = (identifier = newPhone()) => signUp(identifier, { ip: newIp() });

export interface Person {
  id: string;
  username: string;
  email: string | null;
  phone: string | null;
  emailVerified: boolean;
  phoneVerified: boolean;
  status: "ACTIVE" | "INACTIVE" | "BANNED";
  kycStatus: "NOT_SUBMITTED" | "PENDING" | "APPROVED" | "REJECTED";
  joinedAt: number;
  lastLoginAt: number | null;
}

let eras = 0;
/** Start of a day in Kathmandu, long ago, followed by 20 days in which no other test inserts users. */
export function newEra(): number {
  eras += 1;
  return Date.UTC(1995, 0, 1) - KATHMANDU_MS + eras * 25 * DAY_MS;
}

/** Query parameters that find users who joined in the era. */
export const duringEra = (era: number) =>
  `start_date=${new Date(era).toISOString()}&end_date=${new Date(era + 20 * DAY_MS).toISOString()}`;

/** Inserts users as rows, because hundreds of sign-ups would take minutes. */
export async function insertPeople(people: Partial<Person>[]): Promise<Person[]> {
  const whole = people.map((given): Person => {
    const id = given.id ?? crypto.randomUUID();
    const defaults = { email: null, phone: null, emailVerified: false, phoneVerified: true, lastLoginAt: null };
    const standing = { status: "ACTIVE", kycStatus: "NOT_SUBMITTED", joinedAt: Date.now() } as const;
    return { ...defaults, ...standing, username: `u${id}`, ...given, id };
  });
  const statements = whole.flatMap((each) => [
    testEnv.DB.prepare(
      `insert into users (id, username, username_key, email, phone_number, email_verified, phone_verified, referral_code,
        status, role, social_provider, locale, date_joined, last_login, updated_at, version)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?1, ?8, 'user', 'PHONE', 'en', ?9, ?10, ?9, 1)`,
    ).bind(
      each.id,
      each.username,
      each.username.normalize("NFKC").toLowerCase(),
      each.email,
      each.phone,
      Number(each.emailVerified),
      Number(each.phoneVerified),
      each.status,
      each.joinedAt,
      each.lastLoginAt,
    ),
    ...(each.kycStatus === "NOT_SUBMITTED" ? [] : [insertKyc(each)]),
  ]);
  for (let at = 0; at < statements.length; at += 500) await testEnv.DB.batch(statements.slice(at, at + 500));
  return whole;
}

const insertKyc = ({ id, kycStatus }: Person) =>
  testEnv.DB.prepare(
    `insert into kyc (user_id, id, document_type, document_number_sealed, document_number_key_id, document_number_index,
      front_document_id, status, version, changed_by, submitted_at, created_at, updated_at)
      values (?1, 'kyc of ' || ?1, '', '', '', ?1, '', ?2, 1, '', 0, 0, 0)`,
  ).bind(id, kycStatus);

/** Message of the search queue after a change of the user. */
export const searchDue = (userId: string): HeldMessage => {
  const payload = JSON.stringify({ user_id: userId });
  const id = newId();
  return { id, attempts: 1, body: { event_id: id, type: "user_search.due", user_id: userId, payload, created_at: 0 } };
};

/** Delivers the due search messages of these users, a hundred per batch. */
export async function deliverSearch(userIds: string[], copies = 1): Promise<void> {
  const bodies = Array.from({ length: copies }, () => userIds.map((id) => searchDue(id).body)).flat();
  for (let at = 0; at < bodies.length; at += 100) {
    const { retried } = await consume(bodies.slice(at, at + 100), {}, 1, "search");
    if (retried.length > 0) throw new Error(`${retried.length} messages come again`);
  }
}

/** Requests a page of the directory and checks it against the OpenAPI document. */
export const directory = ({ access }: SignedIn, query = "", options: CallOptions = {}) =>
  documented("GET", `${USERS}${query && `?${query}`}`, { token: access, ...options });

export const idsOf = ({ body, status }: Answer): string[] => {
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.data.results.map(({ id }: { id: string }) => id);
};

/** Reads the pages of a query by cursor, calling `between` after each; at most `limit` pages. */
export async function walk(
  staff: SignedIn,
  query: string,
  between: (page: number) => Promise<unknown> = async () => {},
  limit = 200,
): Promise<string[]> {
  const seen: string[] = [];
  let cursor = "";
  for (let page = 1; page <= limit; page++) {
    const answer = await directory(staff, query + cursor);
    seen.push(...idsOf(answer));
    const { next_cursor, has_next } = answer.body.data.pagination;
    if (has_next !== (next_cursor !== null)) throw new Error("has_next and next_cursor contradict each other");
    if (next_cursor === null) return seen;
    cursor = `&cursor=${encodeURIComponent(next_cursor)}`;
    await between(page);
  }
  throw new Error(`more than ${limit} pages`);
}

/** The audit rows of the user, oldest first, optionally of one action. */
export const auditOf = (userId: string, action?: string) =>
  rows<{
    action: string;
    entity_type: string;
    by_staff: number;
    actor_id: string;
    old_values: string;
    new_values: string;
  }>("select * from audit_logs where user_id = ?1 and (?2 is null or action = ?2) order by id", userId, action ?? null);

/** The user's events, oldest first. */
export const eventsOf = async (userId: string, type?: string) =>
  rows<{ type: string; payload: string | null }>(
    "select type, payload from recorded_events where user_id = ?1 and (?2 is null or type = ?2) order by id",
    userId,
    type ?? null,
  );
