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

// `npm run staff -- list | grant IDENTIFIER | revoke IDENTIFIER`, on the local database, or with --remote on production's.

const USAGE = `npm run staff -- list                                staff and admins
npm run staff -- grant IDENTIFIER [--role staff]     makes a user admin, or staff, and ends their sessions
npm run staff -- revoke IDENTIFIER                   makes them a user again

--remote: on the production database`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { remote: { type: "boolean", default: false }, role: { type: "string", default: "admin" } },
});
const [command, typed] = positionals;
// Statements are built here and run by wrangler.
const db = drizzle({} as D1Database);

function identifierOf(given: string) {
  const environment = values.remote ? { env: "production" } : {};
  const { vars } = unstable_readConfig({ config: join(import.meta.dirname, "..", "wrangler.toml"), ...environment });
  const config = { smsCountries: String(vars.SMS_COUNTRIES).split(",") };
  try {
    return parseIdentifier({ config } as Parameters<typeof parseIdentifier>[0], given);
  } catch (error) {
    if (error instanceof AppError)
      fail(`${given}: this is neither an e-mail address nor a mobile number that we serve.`);
    throw error;
  }
}

function change(given: string, role: string): void {
  if (role !== "user" && role !== "staff" && role !== "admin") fail("--role is staff or admin.");
  const invocationId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
  const deps = { db, now: () => Date.now(), newId: () => newId(), invocationId, log: undefined as never };
  const statements = Object.values(roleGrant(deps, identifierOf(given), role));
  const sql = statements.map((statement) => inline(statement.toSQL())).join(";\n");
  const [person] = query(sql, values);
  if (!person) fail(`${given} has no account. Its owner signs up first, by a one-time code.`);
  const { username, id } = person;
  if (person.is_changed)
    console.log(`${username} (${id}) is ${role} now; their sessions have ended: they sign in again.`);
  else if (person.role === role) console.log(`${username} (${id}) is ${role} already.`);
  else if (person.is_unproved)
    fail(`${username} has no verified identifier: its owner signs in by a one-time code first.`);
  else if (person.is_test_identifier) fail(`${username} has signed in by a test identifier, which reviewers share.`);
  else fail(`${username} is the last admin. Make another one first.`);
}

function list(): void {
  const people = query(inline(selectStaff({ db }).toSQL()), values);
  if (people.length === 0) console.log("Nobody yet. Make the first admin: npm run staff -- grant IDENTIFIER");
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
