import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { DatabaseSync } from "node:sqlite";
import { type ImportedUser, type ImportRules, readUserRecord, referralCodeOf } from "./user-record.ts";

/** Why a line is refused. */
export interface Refusal {
  /** From 1. */
  line: number;
  reason: string;
}

/** What a file holds, compared with the database before the import. */
export interface Staged {
  /** All refusals, in the order of the lines, at most `MAX_REFUSALS`. */
  refusals: Refusal[];
  /** Number of refused lines; can be more than `refusals`. */
  refused: number;
  /** Users that the database does not have yet. */
  fresh: number;
  /** Users that the database has already, with the same id. */
  existing: number;
  /** Users who deleted their account since an earlier import; they are not imported again. */
  deleted: number;
}

const MAX_REFUSALS = 100;
const UNIQUE = ["id", "username_key", "email", "phone_number", "referral_code"] as const;
/** The field of the file for each unique column. */
const FIELDS: Record<(typeof UNIQUE)[number], string> = {
  id: "id",
  username_key: "username",
  email: "email",
  phone_number: "phone_number",
  referral_code: "referral_code",
};

/**
 * Reads the file into a temporary database, which finds duplicates within the file and conflicts with the primary
 * without holding a million users in memory. Changes nothing in the primary.
 *
 * @param staging receives the table `staged`.
 * @param primary path of a copy of the primary, or of the primary itself, which is only read.
 * @param deletedIds ids of users who deleted their account.
 */
export async function stageUsers(
  file: string,
  staging: DatabaseSync,
  primary: string,
  deletedIds: readonly string[],
  rules: ImportRules,
  onProgress: (lines: number) => void,
): Promise<Staged> {
  staging.exec(`create table staged (line integer primary key, ${UNIQUE.map((name) => `${name} text`).join(", ")},
      user text, state text not null default 'fresh');
    create table refusals (line integer, reason text);
    create table deleted (id text primary key) without rowid`);
  staging.prepare("attach database ? as known").run(primary);
  staging.exec("begin");
  const remember = staging.prepare("insert or ignore into deleted values (?)");
  for (const id of deletedIds) remember.run(id);
  await readLines(file, staging, rules, onProgress);
  for (const name of UNIQUE) staging.exec(`create index staged_${name} on staged (${name}) where ${name} is not null`);
  staging.exec(`update staged set state = 'deleted' where id in (select id from deleted);
    update staged set state = 'existing' where exists (select 1 from known.users u where u.id = staged.id)`);
  for (const name of UNIQUE) refuseDuplicates(staging, name);
  generateReferralCodes(staging);
  staging.exec("commit");
  const number = (sql: string) => Number(staging.prepare(sql).get()?.n);
  const count = (state: string) => number(`select count(*) as n from staged where state = '${state}'`);
  const refusals = staging
    .prepare(
      `select line, group_concat(reason, '; ') as reason from refusals group by line order by line limit ${MAX_REFUSALS}`,
    )
    .all()
    .map(({ line, reason }) => ({ line: Number(line), reason: String(reason) }));
  return {
    refusals,
    refused: number("select count(distinct line) as n from refusals"),
    fresh: count("fresh"),
    existing: count("existing"),
    deleted: count("deleted"),
  };
}

async function readLines(file: string, staging: DatabaseSync, rules: ImportRules, onProgress: (lines: number) => void) {
  const stage = staging.prepare(`insert into staged (line, ${UNIQUE.join(", ")}, user) values (?, ?, ?, ?, ?, ?, ?)`);
  const refuse = staging.prepare("insert into refusals values (?, ?)");
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Infinity })) {
    line += 1;
    if (text.trim() === "") continue;
    const { user, errors } = readUserRecord(line === 1 ? text.replace(/^\uFEFF/, "") : text, rules);
    if (user) {
      const { id, usernameKey, email, phone_number, referral_code } = user;
      stage.run(line, id, usernameKey, email, phone_number, referral_code, JSON.stringify(user));
    } else for (const error of errors) refuse.run(line, error);
    if (line % 10_000 === 0) onProgress(line);
  }
}

/** Refuses a value that an earlier line has, or a user of the primary with another id. */
function refuseDuplicates(staging: DatabaseSync, name: (typeof UNIQUE)[number]): void {
  staging.exec(`insert into refusals
      select s.line, '${FIELDS[name]}: line ' || (select min(o.line) from staged o where o.${name} = s.${name}) || ' has it already'
        from staged s where s.${name} is not null and exists (select 1 from staged o where o.${name} = s.${name} and o.line < s.line)`);
  if (name === "id") return;
  staging.exec(`insert into refusals
      select s.line, '${FIELDS[name]}: the user ' || u.id || ' has it already' from staged s join known.users u
        on u.${name} = s.${name} where s.state = 'fresh' and u.id <> s.id`);
}

/** Gives users without a referral code one that neither the file nor the primary has. */
function generateReferralCodes(staging: DatabaseSync): void {
  const update = staging.prepare("update staged set referral_code = ? where line = ?");
  const taken = staging.prepare(`select 1 from staged where referral_code = ?1
    union all select 1 from known.users where referral_code = ?1`);
  const without = staging.prepare("select line, id from staged where referral_code is null and state = 'fresh'").all();
  for (const { line, id } of without) {
    let nth = 0;
    while (taken.get(referralCodeOf(String(id), nth))) nth += 1;
    update.run(referralCodeOf(String(id), nth), Number(line));
  }
}

/** The staged users that are to be inserted, in the order of the file, in chunks. */
export function* freshUsers(staging: DatabaseSync, size: number): Generator<ImportedUser[]> {
  const next = staging.prepare(
    "select line, user, referral_code from staged where state = 'fresh' and line > ? order by line limit ?",
  );
  for (let after = 0; ; ) {
    const rows = next.all(after, size);
    if (rows.length > 0) yield rows.map(({ user, referral_code }) => ({ ...JSON.parse(String(user)), referral_code }));
    if (rows.length < size) return;
    after = Number(rows.at(-1)?.line);
  }
}
