import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, beforeEach, test } from "node:test";
import { databaseFile, localDatabases } from "../../scripts/operations/local-database.ts";
import { root, wranglerIn } from "../../scripts/operations/wrangler.ts";
import { runScript } from "./run-script.ts";

const [primary] = localDatabases;
let state = "";

before(() => {
  state = mkdtempSync(join(tmpdir(), "users-api-dead-letters-"));
  const { ok, output } = wranglerIn(root)(["d1", "migrations", "apply", "DB", "--local", "--persist-to", state]);
  assert.ok(ok, output);
});
after(() => rmSync(state, { recursive: true }));
beforeEach(() => void run("delete from dead_letters; delete from outbox"));

function run(sql: string): void {
  const file = new DatabaseSync(databaseFile(state, primary));
  file.exec(sql);
  file.close();
}

function rows(sql: string): Record<string, unknown>[] {
  const file = new DatabaseSync(databaseFile(state, primary), { readOnly: true });
  try {
    return file
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    file.close();
  }
}

const tasks = (...args: string[]) => runScript("tasks.ts", args, { PERSIST_TO: state });

/** A dead letter `id` of the event `event-id`. */
function insert(
  id: string,
  type: string,
  day: string,
  userId = "u1",
  payload: string | null = '{"user_id":"u1"}',
): void {
  const quoted = payload === null ? "null" : `'${payload}'`;
  run(`insert into dead_letters (id, queue, event_id, type, user_id, payload, reason, attempts, created_at)
    values ('${id}', 'tasks', 'event-${id}', '${type}', '${userId}', ${quoted}, 'why ${id}', 12, ${Date.parse(day)})`);
}

const outbox = () => rows("select id from outbox order by id").map(({ id }) => id);
const replayed = () =>
  rows("select id from dead_letters where replayed_at is not null order by id").map(({ id }) => id);

test("tasks replay with a filter replays exactly the matching dead letters, each once", () => {
  insert("a", "user.updated", "2026-10-31T23:59:59.999Z");
  insert("b", "user.updated", "2026-11-01");
  insert("c", "user.updated", "2026-11-20");
  insert("d", "webhook.due", "2026-11-20");
  insert("e", "user.updated", "2026-11-20", "u1", null);
  const filter = ["--type", "user.updated", "--since", "2026-11-01"];
  const counted = tasks("replay", ...filter, "--dry-run");
  assert.match(counted.output, /^2 dead letters would be replayed/);
  assert.deepEqual(outbox(), []);
  const first = tasks("replay", ...filter);
  assert.equal(first.status, 0, first.output);
  assert.match(first.output, / {5}2 {2}user\.updated\n2 replayed/);
  assert.deepEqual(outbox(), ["event-b", "event-c"]);
  assert.deepEqual(replayed(), ["b", "c"]);
  run("delete from outbox");
  const second = tasks("replay", ...filter);
  assert.equal(second.status, 0, second.output);
  assert.match(second.output, /^0 replayed/);
  assert.deepEqual(outbox(), []);
});

test("tasks replay replays at most --limit dead letters, oldest first, and prints how many remain", () => {
  for (const nth of [1, 2, 3, 4, 5]) insert(`n${nth}`, "user.updated", `2026-11-0${nth}`);
  const first = tasks("replay", "--type", "user.updated", "--limit", "2");
  assert.match(first.output, /2 replayed.* 3 remain: run the command again\./);
  assert.deepEqual(replayed(), ["n1", "n2"]);
  assert.match(
    tasks("replay", "--type", "user.updated", "--limit", "3").output,
    /3 replayed; they will be sent within a minute\.\n$/,
  );
});

test("tasks replay filters by task and user, and sends an event with two dead letters once", () => {
  insert("t1", "user.created", "2026-11-02");
  insert("t2", "user.deleted", "2026-11-02", "u2");
  insert("t3", "push.requested", "2026-11-02");
  insert("t4", "user.created", "2026-11-03", "u1", '{"user_id":"newer"}');
  run("update dead_letters set event_id = 'event-t1' where id = 't4'");
  tasks("replay", "--task", "sync_user_data_with_external_services", "--user", "u1");
  assert.deepEqual(replayed(), ["t1", "t4"]);
  assert.deepEqual(rows("select id, payload, urgency from outbox"), [
    { id: "event-t1", payload: '{"user_id":"newer"}', urgency: 1 },
  ]);
});

test("tasks dead lists matching dead letters page by page, newest first", () => {
  for (const nth of [1, 2, 3]) insert(`p${nth}`, "user.updated", "2026-11-05");
  insert("other", "push.requested", "2026-11-06");
  const ids = (output: string) => [...output.matchAll(/^(\w+) {2}2026/gm)].map(([, id]) => id);
  const first = tasks("dead", "--type", "user.updated", "--limit", "2");
  assert.deepEqual(ids(first.output), ["p3", "p2"]);
  assert.match(first.output, /why p3/);
  const [, before = ""] = /--before (\w+)/.exec(first.output) ?? [];
  const second = tasks("dead", "--type", "user.updated", "--limit", "2", "--before", before);
  assert.deepEqual(ids(second.output), ["p1"]);
  assert.doesNotMatch(second.output, /--before/);
  tasks("replay", "p1");
  assert.deepEqual(ids(tasks("dead", "--open", "--until", "2026-11-06").output), ["p3", "p2"]);
});

test("tasks prints its usage, and refuses invalid options and those without effect, without changing anything", () => {
  insert("kept", "user.updated", "2026-11-05");
  const help = tasks("--help");
  assert.equal(help.status, 0);
  assert.match(help.output, /replay FILTER/);
  for (const args of [
    ["replay"],
    ["replay", "kept", "--type", "user.updated"],
    ["replay", "--type", "user.updated", "--since", "yesterday"],
    ["replay", "--type", "user.updated", "--limit", "10001"],
    ["replay", "--type", "user.updated", "--payload", "{}"],
    ["replay", "--task", "no_such_task"],
    ["replay", "--task", "deliver_push", "--type", "user.updated"],
    ["replay", "--unheard-of"],
    ["replay", "kept", "--dry-run"],
    ["replay", "kept", "--limit", "1"],
    ["replay", "--type", "user.updated", "--open"],
    ["replay", "--type", "user.updated", "--before", "kept"],
    ["dead", "kept"],
    ["dead", "--dry-run"],
    ["budget", "kept"],
  ]) {
    const { status, output } = tasks(...args);
    assert.notEqual(status, 0, args.join(" "));
    assert.doesNotMatch(output, /\n\s+at /, args.join(" "));
  }
  assert.deepEqual([replayed(), outbox()], [[], []]);
});

test("tasks treats quotation marks in an option as text", () => {
  insert("q", "user.updated", "2026-11-05");
  assert.equal(tasks("replay", "--user", "x' or '1'='1").status, 0);
  assert.deepEqual(replayed(), []);
});
