import { count, run } from "../support/database.ts";
import { newId } from "../support/ids.ts";
import { newStaff, promote } from "../support/kyc.ts";
import { CLIENTS, headersOf, noServerErrors, type RaceSetting, simulationOf, successes, Verdict } from "./race.ts";

/** R25: one dead letter is replayed a hundred times at once, by id and by type: one event, one audit row. */
export async function replaysOfOneLetter(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const admin = await newStaff();
  await promote(admin, "admin");
  const letter = newId();
  const type = `race.${letter}`;
  await run(
    `insert into dead_letters (id, queue, event_id, type, payload, reason, attempts, created_at)
      values (?1, 'tasks', ?1, ?2, '{}', 'gone', 1, 1)`,
    letter,
    type,
  );
  const reason = "It works again";
  const kinds = [
    { action: "REPLAY", ids: [letter], reason },
    { action: "REPLAY", type, before: "2020-01-01T00:00:00Z", reason },
  ];
  const results = await simulationOf(setting).race(
    Array.from({ length: CLIENTS }, (_, i) => ({
      method: "POST",
      path: "/api/staff/dead-letters",
      options: { token: admin.access, json: kinds[i % 2], headers: headersOf(setting) },
    })),
  );
  noServerErrors(verdict, results);
  const settled = successes(results).reduce((sum, { body }) => sum + body.data.settled, 0);
  verdict.equal("letters that the answers settled", settled, 1);
  verdict.equal("events", await count("from outbox where type = ?", type), 1);
  verdict.equal(
    "audit rows",
    await count("from audit_logs where entity_type = 'dead_letter' and entity_id = ?", letter),
    1,
  );
  verdict.equal(
    "letters replayed",
    await count("from dead_letters where id = ? and replayed_at is not null", letter),
    1,
  );
  await run("delete from outbox where type = ?", type);
  return verdict;
}
