import { join } from "node:path";
import { parseArgs } from "node:util";
import { drizzle } from "drizzle-orm/d1";
import { v7 as newId } from "uuid";
import { unstable_readConfig } from "wrangler";
import { AppError } from "../src/platform/http/errors.ts";
import { roleGrant, selectStaff } from "../src/staff/access/role-grant.store.ts";
import { parseIdentifier } from "../src/users/identifier.ts";
import { fail, query } from "./d1.ts";
import { inline } from "./inline.ts";

// `npm run staff -- list | grant IDENTIFIER | revoke IDENTIFIER`: on the local database, or on production with
// --remote.

const USAGE = `npm run staff -- list                                list staff and admins
npm run staff -- grant IDENTIFIER [--role staff]     make a user an admin (or staff) and end their sessions
npm run staff -- revoke IDENTIFIER                   make a staff member or admin a user again

--remote    use the production database`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { remote: { type: "boolean", default: false }, role: { type: "string", default: "admin" } },
});
const [command, typed] = positionals;
// Builds the statements only; wrangler runs them.
const db = drizzle({} as D1Database);

function identifierOf(given: string) {
  const environment = values.remote ? { env: "production" } : {};
  const { vars } = unstable_readConfig({ config: join(import.meta.dirname, "..", "wrangler.toml"), ...environment });
  const config = { smsCountries: String(vars.SMS_COUNTRIES).split(",") };
  try {
    return parseIdentifier({ config } as Parameters<typeof parseIdentifier>[0], given);
  } catch (error) {
    if (error instanceof AppError)
      fail(`${given} is not a valid email address or mobile number of a supported country.`);
    throw error;
  }
}

function change(given: string, role: string): void {
  if (role !== "user" && role !== "staff" && role !== "admin") fail("--role must be staff or admin.");
  const invocationId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
  const deps = { db, now: () => Date.now(), newId: () => newId(), invocationId, log: undefined as never };
  const statements = Object.values(roleGrant(deps, identifierOf(given), role));
  const sql = statements.map((statement) => inline(statement.toSQL())).join(";\n");
  const [person] = query(sql, values);
  if (!person) fail(`There is no account for ${given}. Its owner must sign up with a one-time code first.`);
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
  else fail(`${username} is the last admin. Grant the role to somebody else first.`);
}

function list(): void {
  const people = query(inline(selectStaff({ db }).toSQL()), values);
  if (people.length === 0)
    console.log("There are no staff or admins yet. To make the first admin, run: npm run staff -- grant IDENTIFIER");
  for (const { id, username, email, phone_number, role, status } of people) {
    console.log(`${role}\t${username}\t${email ?? phone_number ?? "-"}\t${status}\t${id}`);
  }
}

if (command === "list") list();
else if (command === "grant" && typed) change(typed, values.role);
else if (command === "revoke" && typed) change(typed, "user");
else {
  console.error(USAGE);
  process.exit(2);
}
