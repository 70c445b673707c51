import { join } from "node:path";
import { drizzle } from "drizzle-orm/d1";
import { v7 as newId } from "uuid";
import { unstable_readConfig } from "wrangler";
import type { Config } from "../../src/platform/config/config.ts";
import { AppError } from "../../src/platform/http/errors.ts";
import { enrolStaff } from "../../src/staff/access/passkey-reset.store.ts";
import { roleGrant, selectStaff } from "../../src/staff/access/role-grant.store.ts";
import { parseIdentifier } from "../../src/users/identifier.ts";
import { fail, query } from "../d1.ts";
import { inline } from "../inline.ts";
import { root } from "./wrangler.ts";

// Builds the statements only; wrangler runs them.
const db = drizzle({} as D1Database);

interface Target {
  remote: boolean;
}

/** The variables of the Worker in development, or in production. */
const varsOf = ({ remote }: Target) =>
  unstable_readConfig({ config: join(root, "wrangler.toml"), ...(remote ? { env: "production" } : {}) }).vars;

function identifierOf(given: string, vars: ReturnType<typeof varsOf>) {
  const config = { smsCountries: String(vars.SMS_COUNTRIES).split(",") };
  try {
    return parseIdentifier({ config } as Parameters<typeof parseIdentifier>[0], given);
  } catch (error) {
    if (error instanceof AppError)
      fail(`${given} is not a valid email address or mobile number of a supported country.`);
    throw error;
  }
}

function newDeps(vars: ReturnType<typeof varsOf>) {
  const invocationId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
  const config = { requiresStaffPasskeys: String(vars.STAFF_PASSKEYS) === "required" } as Config;
  return { db, now: () => Date.now(), newId: () => newId(), invocationId, log: undefined as never, config };
}

type Statements = Readonly<Record<string, { toSQL(): Parameters<typeof inline>[0] }>>;

/** Runs the statements as one transaction and returns the row of the person whom they concern. */
function run(given: string, statements: Statements, target: Target) {
  const sql = Object.values(statements)
    .map((statement) => inline(statement.toSQL()))
    .join(";\n");
  const [person] = query(sql, target);
  if (!person) fail(`There is no account for ${given}. Its owner must sign up with a one-time code first.`);
  return person;
}

/** Removes the passkeys of staff, who may add a new one within an hour. Ends the process with 1 if that is refused. */
export function enrolAgain(given: string, target: Target): void {
  const vars = varsOf(target);
  const statements = enrolStaff(newDeps(vars), identifierOf(given, vars));
  const { username, id, role, is_changed } = run(given, statements, target);
  if (!is_changed) fail(`${username} has the role ${role}. Only staff and admins are enrolled by this command.`);
  console.log(
    `${username} (${id}) has no passkey now and may add one within an hour, after signing in with a one-time code.`,
  );
}

/** Gives a person the role and ends their sessions. Ends the process with 1 if that is refused. */
export function changeRole(given: string, role: "user" | "staff" | "admin", target: Target): void {
  const vars = varsOf(target);
  const person = run(given, roleGrant(newDeps(vars), identifierOf(given, vars), role), target);
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

/** Prints staff and admins. */
export function listStaff(target: Target): void {
  const people = query(inline(selectStaff({ db }).toSQL()), target);
  if (people.length === 0)
    console.log("There are no staff or admins yet. To make the first admin, run: npm run staff -- grant IDENTIFIER");
  for (const { id, username, email, phone_number, role, status, passkeys, since } of people) {
    const added = since ? `, the first on ${new Date(Number(since)).toISOString().slice(0, 10)}` : "";
    console.log(
      `${role}\t${username}\t${email ?? phone_number ?? "-"}\t${status}\t${passkeys} passkeys${added}\t${id}`,
    );
  }
}
