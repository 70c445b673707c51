const columns = ["id", "type", "user_id", "payload", "queue", "created_at"];
const list = columns.join(", ");

/**
 * Statements after which a database keeps the events that were sent and therefore deleted from the outbox. The view
 * `recorded_events` has all recorded events: those that wait (`is_sent` 0) and those that were sent (1).
 */
export const keepingSentEvents: readonly string[] = [
  `create table if not exists sent_events (${list}, primary key (id)) without rowid`,
  `create trigger if not exists outbox_sent after delete on outbox begin
    insert or replace into sent_events (${list}) values (${columns.map((name) => `old.${name}`).join(", ")});
  end`,
  `create view if not exists recorded_events as select ${list}, 0 as is_sent from outbox
    union all select ${list}, 1 from sent_events s where not exists (select 1 from outbox o where o.id = s.id)`,
];

/** Statements that undo `keepingSentEvents`. */
export const forgettingSentEvents: readonly string[] = [
  "drop trigger if exists outbox_sent",
  "drop view if exists recorded_events",
  "drop table if exists sent_events",
];
