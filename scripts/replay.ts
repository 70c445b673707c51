/**
 * The statements that put a dead letter back into the outbox, once; the next cron tick relays it. Both arguments are SQL:
 * the letter's id, and its payload, mended or the column itself. The last statement gives a row where it was put back.
 */
export function replayStatements(id: string, payload = "payload"): string {
  const letter = `dead_letters where id = ${id} and replayed_at is null and type is not null and ${payload} is not null`;
  return `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
      select event_id, type, user_id, ${payload}, 'tasks', created_at, 0, 0 from ${letter}
      on conflict (id) do update set payload = excluded.payload, queue = 'tasks', leased_until = 0, sent_at = null;
    update dead_letters set replayed_at = cast(unixepoch('subsec') * 1000 as integer) where id in (select id from ${letter})
      returning type`;
}
