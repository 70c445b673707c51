import type { Databases } from "../../../scripts/seed/databases.ts";

/** A kind of request, the same at every number of users. */
export interface StaffCase {
  name: string;
  kind: "list" | "search" | "person" | "change";
  /** The `i`-th request. */
  request: (i: number) => { method: "GET" | "POST"; path: string; json?: unknown };
  pageSize: number;
  /** Rows that the page number skips, which are read nevertheless. */
  offset: number;
  /** Rows that may be read for each result. */
  rowsOfResult: number;
  /** Whether few of the users read match; such cases have their own limit. */
  isSelective: boolean;
}

/** The user whose name, address and number the searches use. */
interface Sample {
  id: string;
  username_key: string;
  email: string;
  phone_number: string;
}

export interface Samples {
  one: Sample;
  ids: string[];
}

/** Users from all parts of the table, the same in every run. */
export function drawSamples({ primary }: Databases): Samples {
  const { count } = primary.prepare("select count(*) as count from users").get() as { count: number };
  const one = primary
    .prepare(
      `select id, username_key, email, phone_number from users
        where id > (select id from users order by id limit 1 offset ?) and email is not null
        and phone_number is not null and length(email) > 24 and username_key glob '[a-z]*' order by id limit 1`,
    )
    .get(Math.floor(count / 2)) as unknown as Sample;
  const approved = primary.prepare("select id from users where kyc_status = 'APPROVED' order by id").all();
  const ids = Array.from({ length: 100 }, (_, i) => String(approved[Math.floor((approved.length * i) / 110)]?.id));
  return { one, ids };
}

const base = { kind: "list", pageSize: 20, offset: 0, rowsOfResult: 3, isSelective: false } as const;

function list(name: string, query: Record<string, string>, more: Partial<StaffCase> = {}): StaffCase {
  const path = `/api/users?${new URLSearchParams(query)}`;
  return { ...base, name, request: () => ({ method: "GET", path }), ...more };
}

const search = (pattern: string, query: Record<string, string> = {}, more: Partial<StaffCase> = {}) =>
  list(`search \`${pattern}\`${describe(query)}`, { search: pattern, ...query }, { kind: "search", ...more });

const describe = (query: Record<string, string>) =>
  Object.entries(query)
    .map(([name, value]) => `, ${name} ${value}`)
    .join("");

const filter = (query: Record<string, string>, more: Partial<StaffCase> = {}) =>
  list(describe(query).slice(2), query, more);

const selective = { isSelective: true };

/** All measured cases; `cursor` is far into the list. */
export function staffCases({ one, ids }: Samples, cursor: string): StaffCase[] {
  const idOf = (i: number) => ids[i % ids.length] ?? one.id;
  const person = (name: string, request: StaffCase["request"], more: Partial<StaffCase> = {}): StaffCase => ({
    ...base,
    name,
    kind: "person",
    request,
    ...more,
  });
  return [
    list(LIST_PAGE, {}),
    list("list page of 100", { page_size: "100" }, { pageSize: 100 }),
    list("page 9 of 100 each", { page: "9", page_size: "100" }, { pageSize: 100, offset: 800 }),
    list("page 20 of 100 each", { page: "20", page_size: "100" }, { pageSize: 100, offset: 1900 }),
    list("deep page by cursor", { cursor }),
    ...["ACTIVE", "INACTIVE", "BANNED"].map((status) => filter({ status })),
    ...["true", "false"].flatMap((flag) => [filter({ email_verified: flag }), filter({ phone_verified: flag })]),
    ...["NOT_SUBMITTED", "PENDING", "APPROVED", "REJECTED"].map((kyc_status) => filter({ kyc_status })),
    filter({ status: "BANNED", kyc_status: "REJECTED", email_verified: "true", phone_verified: "true" }, selective),
    ...["date_joined", "-date_joined", "last_login", "-last_login", "username", "-username"].map((ordering) =>
      filter({ ordering }),
    ),
    filter({ status: "ACTIVE", ordering: "username" }),
    filter({ kyc_status: "PENDING", ordering: "-last_login" }),
    filter({ start_date: "2025-01-01", end_date: "2025-12-31" }),
    filter({ start_date: "2026-05-01", kyc_status: "APPROVED" }),
    filter({ start_date: "2026-07-01", ordering: "username" }, selective),
    ...searches(one),
    person("detail", (i) => ({ method: "GET", path: `/api/users/${idOf(i)}` })),
    // What the console asks for: the whole of these is recorded, and limited to STAFF_VIEWS_PER_HOUR.
    person("audit logs", (i) => ({ method: "GET", path: `/api/users/${idOf(i)}/audit-logs?mask=true` })),
    person("sessions", (i) => ({ method: "GET", path: `/api/users/${idOf(i)}/sessions` })),
    // A case is read with its user, profile, approvals, and the colleague who looked at it last.
    person("KYC review queue", () => ({ method: "GET", path: "/api/users/kyc/submissions?mask=true" }), {
      rowsOfResult: 8,
    }),
    person(
      "status change",
      // Each call is a change, because the status alternates.
      (i) => ({
        method: "POST",
        path: `/api/users/${idOf(i)}/status`,
        json: { status: Math.floor(i / ids.length) % 2 === 0 ? "BANNED" : "ACTIVE", reason: "Benchmark" },
      }),
      { kind: "change" },
    ),
  ];
}

/** The reference for searches. */
export const LIST_PAGE = "list page";

function searches({ username_key, email, phone_number }: Sample): StaffCase[] {
  const national = phone_number.slice(4);
  const local = email.slice(0, email.indexOf("@"));
  return [
    // Frequent patterns of 2, 3, 6 and 10 characters.
    ...["ra", "98", "ram", "984", "gurung", "gmail.com", "@gmail.com"].map((each) => search(each)),
    // Frequent only with a million users.
    search("984123"),
    // Treated as rare patterns.
    search("adhikari19"),
    search("shresthara", {}, selective),
    search("राम"),
    search("श्रेष्ठ"),
    // Words of names, which the index holds apart.
    ...["sita shrestha", "shrestha sita", "सीता श्रेष्ठ", "maya tamang"].map((each) => search(each, {}, selective)),
    // Rare patterns.
    search("ojx"),
    search("9@i"),
    named("3 characters of one name", username_key.slice(-3)),
    named("6 characters of one address", local.slice(-6)),
    named("10 characters of one address", local.slice(-10)),
    named("last 6 digits of one number", national.slice(-6)),
    named("first 8 digits of one number", national.slice(0, 8)),
    named("one number, whole", national),
    named("one number with country code and separators", `+977 ${national.slice(0, 3)}-${national.slice(3)}`),
    named("part of one with country code and separators", `+977-${national.slice(0, 3)} ${national.slice(3, 7)}`),
    named("one address, whole", email),
    // The most expensive patterns: the index lists many entries and few match.
    search("9@gmail.com"),
    search("sitashrestha", {}, selective),
    search("rajanpokharel", {}, selective),
    search("q@gmail.com"),
    search("984984", {}, selective),
    search("mailgmail"),
    search("gmail.com", { kyc_status: "REJECTED" }, selective),
    search("ram", { status: "BANNED" }, selective),
    search("gmail.com", { end_date: "2024-06-30" }),
  ];

  function named(name: string, pattern: string, more: Partial<StaffCase> = {}): StaffCase {
    return { ...search(pattern, {}, more), name: `search ${name}` };
  }
}
