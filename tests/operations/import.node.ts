import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { databaseFile, localDatabases } from "../../scripts/operations/local-database.ts";
import { migrateLocal } from "../../scripts/operations/prepare.ts";
import { root } from "../../scripts/operations/wrangler.ts";
import { exportUsers } from "../../scripts/users/export-users.ts";
import { areEqual, type Import, importUsers } from "../../scripts/users/import-users.ts";
import { insertUsers, newImportRun } from "../../scripts/users/insert-users.ts";
import { readUserRecord } from "../../scripts/users/user-record.ts";
import { runScript } from "./run-script.ts";

const [primary, search] = localDatabases;
const NOW = Date.UTC(2026, 10, 30);
let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "users-api-import-test-"));
});
after(() => rmSync(folder, { recursive: true }));

let serial = 0;

/** The folder of two empty local databases. */
function newState(): string {
  serial += 1;
  const state = join(folder, `state-${serial}`);
  for (const database of localDatabases) {
    const path = databaseFile(state, database);
    mkdirSync(dirname(path), { recursive: true });
    const file = new DatabaseSync(path);
    const scripts = readdirSync(join(root, database.migrations)).filter((name) => name.endsWith(".sql"));
    for (const name of scripts.sort()) file.exec(readFileSync(join(root, database.migrations, name), "utf8"));
    file.close();
  }
  return state;
}

function rows(state: string, sql: string, database: (typeof localDatabases)[number] = primary) {
  const file = new DatabaseSync(databaseFile(state, database));
  try {
    return file.prepare(sql).all();
  } finally {
    file.close();
  }
}

function fileOf(lines: readonly (object | string)[]): string {
  serial += 1;
  const path = join(folder, `users-${serial}.jsonl`);
  writeFileSync(path, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
  return path;
}

const run = (state: string, lines: readonly (object | string)[], more: Partial<Import> = {}) =>
  importUsers({
    file: fileOf(lines),
    target: { remote: false, state },
    isDryRun: false,
    smsCountries: ["NP"],
    now: NOW,
    onProgress: () => {},
    ...more,
  });

async function exported(state: string): Promise<string> {
  serial += 1;
  const path = join(folder, `exported-${serial}.jsonl`);
  await exportUsers(databaseFile(state, primary), path, () => {});
  return readFileSync(path, "utf8");
}

/** The nth user, in every combination of the fields that differ between users. */
function person(nth: number) {
  const [hasPhone, hasEmail] = [nth % 3 !== 0, nth % 3 !== 1];
  const status = ["ACTIVE", "ACTIVE", "INACTIVE", "BANNED"][nth % 4];
  return {
    legacy_id: String(1000 + nth),
    username: nth % 5 === 0 ? `आशा${nth}` : `Asha'${"s".repeat(nth % 3)}.${nth}`.replaceAll("'", "-"),
    ...(hasPhone ? { phone_number: `+97798412${String(nth).padStart(5, "0")}`, phone_verified: nth % 2 === 0 } : {}),
    ...(hasEmail ? { email: `Asha${nth}@Example.com`, email_verified: nth % 2 === 1 } : {}),
    full_name: nth % 4 === 0 ? null : `D'Souza "Asha" ${nth}`,
    date_of_birth: nth % 2 === 0 ? "1994-02-28" : null,
    avatar_url: nth % 7 === 0 ? `https://cdn.example.org/${nth}.jpg` : null,
    locale: nth % 2 === 0 ? "ne" : "en",
    status,
    ...(status === "INACTIVE" && nth % 8 === 2 ? { status_reason: "staff" } : {}),
    ...(nth % 2 === 0 ? { referral_code: `OLD${nth}` } : {}),
    date_joined: new Date(Date.UTC(2024, 0, 1) + nth * 3_600_000).toISOString(),
    last_login: nth % 3 === 0 ? null : "2026-10-01T12:00:00+05:45",
    wallet_balance: nth % 6 === 0 ? "-12.50" : `${nth}.05`,
    current_points: nth,
    total_points: nth * 2,
  };
}

const people = (count: number) => Array.from({ length: count }, (_, nth) => person(nth));

const UNBALANCED = `select u.id from users u join wallets w on w.user_id = u.id join points p on p.user_id = u.id where
  w.balance_minor <> (select coalesce(sum(wallet_delta_minor), 0) from wallet_transactions t where t.user_id = u.id)
  or p.current_points <> (select coalesce(sum(delta), 0) from point_transactions t where t.user_id = u.id)
  or p.total_points <> (select coalesce(sum(max(delta, 0)), 0) from point_transactions t where t.user_id = u.id)`;

test("exporting imported users and importing them elsewhere changes nothing; sums and counters are exact", async () => {
  const [first, second] = [newState(), newState()];
  const { wanted, inserted } = await run(first, people(300));
  assert.equal(wanted.users, 300);
  assert.ok(inserted && areEqual(wanted, inserted), JSON.stringify({ wanted, inserted }));
  assert.deepEqual(rows(first, UNBALANCED), []);
  const [counted] = rows(first, "select sum(value) as n from user_counts, json_each(by_status_bucket)");
  assert.equal(counted?.n, 300);
  assert.equal(
    rows(first, "select 1 from job_runs where name = 'rebuild_user_search' and finished_at is null").length,
    1,
  );
  assert.deepEqual(rows(first, "select 1 from outbox"), []);
  assert.deepEqual(rows(first, "pragma foreign_key_check"), []);
  const text = await exported(first);
  assert.ok((await run(second, text.trimEnd().split("\n"))).inserted);
  assert.equal(await exported(second), text);
});

test("a second import of the same file changes nothing, and one after an interruption inserts the rest", async () => {
  const state = newState();
  const interrupted = run(state, people(100), {
    perTransaction: 30,
    onProgress(step, done) {
      if (step === "users inserted" && done === 60) throw new Error("power cut");
    },
  });
  await assert.rejects(interrupted, /power cut/);
  assert.equal(rows(state, "select 1 from users").length, 60);
  const rest = await run(state, people(100));
  assert.deepEqual([rest.staged.existing, rest.staged.fresh, rest.inserted?.users], [60, 40, 40]);
  assert.deepEqual(rows(state, UNBALANCED), []);
  const text = await exported(state);
  const again = await run(state, people(100));
  assert.deepEqual([again.staged.existing, again.staged.fresh, again.inserted], [100, 0, undefined]);
  assert.equal(await exported(state), text);
});

test("a repeated import makes the rebuild of the search due, in case an earlier one ended before it did", async () => {
  const state = newState();
  await run(state, people(3));
  rows(state, "delete from job_runs returning 1");
  const rebuilds = () => rows(state, "select 1 from job_runs where name = 'rebuild_user_search'").length;
  await run(state, people(3), { isDryRun: true });
  assert.equal(rebuilds(), 0);
  await run(state, people(3));
  assert.equal(rebuilds(), 1);
});

test("a failed export exits with a message and leaves neither the file nor its copy of the database", async () => {
  const state = newState();
  const temporary = join(folder, "temporary");
  mkdirSync(temporary);
  const { status, stderr } = runScript("export.ts", [join(folder, "missing", "users.jsonl")], {
    PERSIST_TO: state,
    TMPDIR: temporary,
  });
  assert.equal(status, 1, stderr);
  assert.match(stderr, /^ENOENT/);
  assert.deepEqual(readdirSync(temporary), []);

  const [empty, file] = [join(folder, "empty.sqlite"), join(folder, "half.jsonl")];
  new DatabaseSync(empty).close();
  await assert.rejects(
    exportUsers(empty, file, () => {}),
    /no such table/,
  );
  assert.ok(!existsSync(file));
  writeFileSync(file, "an earlier export");
  await assert.rejects(
    exportUsers(empty, file, () => {}),
    /EEXIST/,
  );
  assert.equal(readFileSync(file, "utf8"), "an earlier export");
});

test("a signal deletes the temporary folder and the unfinished file of a command", async () => {
  const [temporary, file] = [join(folder, "interrupted"), join(folder, "unfinished.jsonl")];
  mkdirSync(temporary);
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    writeFileSync(file, "half of it");
    const program = `import { inTemporaryFolder, removeUnlessDone } from "${join(root, "scripts/operations/unfinished.ts")}";
      const forever = () => new Promise(() => { setInterval(() => {}, 1000); process.stdout.write("ready"); });
      await inTemporaryFolder("test", () => removeUnlessDone(process.argv[1], forever));`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program, file], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.once("data", () => {
      assert.equal(readdirSync(temporary).length, 1);
      child.kill(signal);
    });
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), code);
    assert.deepEqual([readdirSync(temporary), existsSync(file)], [[], false]);
  }
});

test("a dry run of an import reports what it would import and changes nothing", async () => {
  const state = newState();
  const { staged, wanted, inserted } = await run(state, people(10), { isDryRun: true });
  assert.deepEqual([staged.fresh, wanted.users, inserted], [10, 10, undefined]);
  assert.deepEqual(rows(state, "select 1 from users"), []);
});

test("an import refuses each invalid line with its number and reason, and imports nothing", async () => {
  const state = newState();
  await run(state, [{ ...person(1), legacy_id: "earlier", username: "taken", phone_number: "9841299999" }]);
  const valid = person(2);
  const bad: [object | string, RegExp][] = [
    ["{", /is not valid JSON/],
    ["[]", /is not a JSON object/],
    [{ ...valid, legacy_id: undefined }, /^id or legacy_id is required$/],
    [{ ...valid, username: "a b" }, /^username: /],
    [{ ...valid, username: "\u0000" }, /^username: /],
    [{ ...valid, username: undefined }, /^username: This field is required/],
    [{ ...valid, phone_number: undefined, email: undefined }, /email or phone_number is required/],
    [{ ...valid, phone_number: "12" }, /^phone_number: /],
    [{ ...valid, phone_number: "+14155550123" }, /^phone_number: /],
    [{ ...valid, email: "asha@" }, /^email: /],
    [{ ...valid, email: undefined, email_verified: true }, /^email_verified: there is no email$/],
    [{ ...valid, full_name: "A" }, /^full_name: Must have at least 2/],
    [{ ...valid, date_of_birth: "2026-11-30" }, /^date_of_birth: Must be a date in the past/],
    [{ ...valid, avatar_url: "http://a.example.org" }, /^avatar_url: /],
    [{ ...valid, status: "GONE" }, /^status: /],
    [{ ...valid, status: "ACTIVE", status_reason: "staff" }, /^status_reason: /],
    [{ ...valid, referral_code: "TOO-LONG-CODE" }, /^referral_code: /],
    [{ ...valid, date_joined: "2026-12-01T00:00:00Z" }, /^date_joined: must be between 2000 and now/],
    [{ ...valid, last_login: "2023-01-01T00:00:00Z" }, /^last_login: must be between date_joined and now$/],
    [{ ...valid, wallet_balance: "1.234" }, /^wallet_balance: /],
    [{ ...valid, current_points: 5, total_points: 4 }, /^total_points: must not be less/],
    [{ ...valid, role: "admin" }, /^role: is not a field of the format$/],
    [{ ...valid, username: "TAKEN" }, /^username: the user \S+ has it already$/],
    [{ ...valid, phone_number: "+9779841299999" }, /^phone_number: the user \S+ has it already$/],
  ];
  const before = await exported(state);
  // Every line is tried with a neighbour that is valid, and with other identifiers than the neighbour's.
  for (const [line, reason] of bad) {
    const { staged, inserted } = await run(state, [{ ...person(50), legacy_id: "neighbour" }, line]);
    assert.deepEqual([staged.refused, inserted], [1, undefined], JSON.stringify(line));
    assert.equal(staged.refusals[0]?.line, 2);
    assert.match(staged.refusals[0]?.reason ?? "", reason, JSON.stringify(line));
  }
  const twice = await run(state, [valid, "", { ...valid, legacy_id: "other" }]);
  assert.deepEqual(
    twice.staged.refusals.map(({ line }) => line),
    [3],
  );
  assert.match(twice.staged.refusals[0]?.reason ?? "", /username: line 1 has it already/);
  assert.equal(await exported(state), before);
});

test("a user who deleted the account after an import is not imported again", async () => {
  const state = newState();
  await run(state, [person(1)]);
  const [user] = rows(state, "select id from users");
  rows(state, `insert into deleted_accounts values ('${user?.id}', 0) returning 1`, search);
  rows(state, "delete from users returning 1");
  const { staged, inserted } = await run(state, [person(1), person(2)]);
  assert.deepEqual([staged.deleted, staged.fresh, inserted?.users], [1, 1, 1]);
});

test("a migration that creates the search of a database with users makes its rebuild due", async () => {
  const state = newState();
  await run(state, people(3));
  rows(state, "delete from job_runs returning 1");
  const rebuilds = () => rows(state, "select 1 from job_runs where name = 'rebuild_user_search'").length;
  // The ledger that wrangler keeps of the migrations of the primary.
  rows(state, "create table d1_migrations (id integer primary key, name text unique, applied_at text)");
  const names = readdirSync(join(root, primary.migrations)).filter((name) => name.endsWith(".sql"));
  for (const name of names) rows(state, `insert into d1_migrations (name) values ('${name}') returning 1`);
  rmSync(databaseFile(state, search));
  migrateLocal(state);
  assert.equal(rebuilds(), 1);
  assert.deepEqual(rows(state, "select 1 from search_entries", search), []);

  const empty = join(folder, "empty");
  migrateLocal(empty);
  assert.deepEqual(rows(empty, "select 1 from job_runs"), [], "there is nobody to add");
});

test("no statement of an import is longer than D1 accepts, however long the users' texts are", () => {
  const long = (nth: number) => ({
    ...person(1),
    legacy_id: `long ${nth}`,
    full_name: "'ष".repeat(127),
    address: "'ष".repeat(127),
    avatar_url: `https://example.org/${"a".repeat(2_000)}`,
    profile_picture: `https://example.org/${"'".repeat(2_000)}`,
  });
  const users = Array.from({ length: 200 }, (_, nth) => {
    const { user, errors } = readUserRecord(JSON.stringify(long(nth)), { smsCountries: ["NP"], now: NOW });
    assert.ok(user, errors?.join());
    return user;
  });
  const lengths = insertUsers(users, newImportRun(NOW)).map((statement) => Buffer.byteLength(statement));
  assert.ok(lengths.length > 20);
  assert.ok(Math.max(...lengths) < 100_000, `${Math.max(...lengths)} bytes`);
});
