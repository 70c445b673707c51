import { join } from "node:path";
import { drizzle } from "drizzle-orm/d1";
import { v7 as newId } from "uuid";
import { unstable_readConfig } from "wrangler";
import type { Config } from "../src/platform/config/config.ts";
import { AppError } from "../src/platform/http/errors.ts";
import { enrolStaff } from "../src/staff/access/passkey-reset.store.ts";
import { roleGrant, selectStaff } from "../src/staff/access/role-grant.store.ts";
import { parseIdentifier } from "../src/users/identifier.ts";
import { choice, flag, readArguments } from "./arguments.ts";
import { fail, query } from "./d1.ts";
import { inline } from "./inline.ts";

const { options, operands, refuse } = readArguments({
  name: "staff",
  about: "Lists staff and admins, and changes roles.",
  operands: "list | grant IDENTIFIER | revoke IDENTIFIER | enrol IDENTIFIER",
  most: 2,
  options: {
    role: choice("ROLE", "the role that `grant` gives", ["admin", "staff"], { default: "admin" }),
    remote: flag("use the production database"),
  },
  notes: [
    "list                 list staff and admins",
    "grant IDENTIFIER     make a user an admin (or staff), and end their sessions",
    "revoke IDENTIFIER    make a staff member or an admin a user again",
    "enrol IDENTIFIER     remove the passkeys of staff; a new one may be added within an hour",
  ],
});
const [command, typed] = operands;
// Builds the statements only; wrangler runs them.
const db = drizzle({} as D1Database);

const environment = options.remote ? { env: "production" } : {};
const { vars } = unstable_readConfig({ config: join(import.meta.dirname, "..", "wrangler.toml"), ...environment });

function identifierOf(given: string) {
  const config = { smsCountries: String(vars.SMS_COUNTRIES).split(",") };
  try {
    return parseIdentifier({ config } as Parameters<typeof parseIdentifier>[0], given);
  } catch (error) {
    if (error instanceof AppError)
      fail(`${given} is not a valid email address or mobile number of a supported country.`);
    throw error;
  }
}

function newDeps() {
  const invocationId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
  const config = { requiresStaffPasskeys: String(vars.STAFF_PASSKEYS) === "required" } as Config;
  return { db, now: () => Date.now(), newId: () => newId(), invocationId, log: undefined as never, config };
}

/** Runs the statements as one transaction and returns the row of the person whom they concern. */
function run(given: string, statements: Readonly<Record<string, { toSQL(): Parameters<typeof inline>[0] }>>) {
  const sql = Object.values(statements)
    .map((statement) => inline(statement.toSQL()))
    .join(";\n");
  const [person] = query(sql, options);
  if (!person) fail(`There is no account for ${given}. Its owner must sign up with a one-time code first.`);
  return person;
}

function enrol(given: string): void {
  const { username, id, role, is_changed } = run(given, enrolStaff(newDeps(), identifierOf(given)));
  if (!is_changed) fail(`${username} has the role ${role}. Only staff and admins are enrolled by this command.`);
  console.log(
    `${username} (${id}) has no passkey now and may add one within an hour, after signing in with a one-time code.`,
  );
}

function change(given: string, role: "user" | "staff" | "admin"): void {
  const person = run(given, roleGrant(newDeps(), identifierOf(given), role));
  const { username, id } = person;
  if (person.is_changed)
    console.log(
      `${username} (${id}) now has the role ${role}. Their sessions have ended, and they must sign in again.`,
    );
  else if (person.role === role) console.log(`${username} (${id}) already has the role ${role}.`);
  else if (person.is_unproved)
    fail(`${username} has no verified identifier. The user must sign in with a one-time code first.`);
  else if (person.is_test_identifier)
    fail(`${username} has signed in with a test identifier, which app reviewers share, and cannot be staff.`);
  else if (person.has_no_passkey)
    fail(`${username} has no passkey, which staff need. The person must add one in the app first.`);
  else fail(`${username} is the last admin. Grant the role to somebody else first.`);
}

function list(): void {
  const people = query(inline(selectStaff({ db }).toSQL()), options);
  if (people.length === 0)
    console.log("There are no staff or admins yet. To make the first admin, run: npm run staff -- grant IDENTIFIER");
  for (const { id, username, email, phone_number, role, status, passkeys, since } of people) {
    const added = since ? `, the first on ${new Date(Number(since)).toISOString().slice(0, 10)}` : "";
    console.log(
      `${role}\t${username}\t${email ?? phone_number ?? "-"}\t${status}\t${passkeys} passkeys${added}\t${id}`,
    );
  }
}

if (command === "list") list();
else if (command === "grant" && typed) change(typed, options.role);
else if (command === "revoke" && typed) change(typed, "user");
else if (command === "enrol" && typed) enrol(typed);
else
  refuse(
    command && ["grant", "revoke", "enrol"].includes(command)
      ? "Name the user."
      : "Name one of: list, grant, revoke, enrol.",
  );
