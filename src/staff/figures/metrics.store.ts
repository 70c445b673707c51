import { type SQL, sql } from "drizzle-orm";
import { dailyCounts } from "../../db/platform-schema.ts";
import { insertFrom } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { statusBucketsOf } from "../directory/status-buckets.ts";

/** A range of time as SQL or numbers (epoch ms): from `since`, inclusive, until `until`, exclusive. */
export interface Range {
  since: number | SQL;
  until: number | SQL;
}

const whole = (instant: number | SQL) => sql`cast(${instant} as integer)`;
/** Smallest UUIDv7 of a time; as `firstIdAt`, in SQL. */
const idAt = (instant: number | SQL) => sql`printf('%08x-%04x', ${whole(instant)} >> 16, ${whole(instant)} & 65535)`;
/** Smallest challenge id of a time; as `firstCidAt`, in SQL. */
const cidAt = (instant: number | SQL) => sql`printf('%012x', ${whole(instant)})`;

/**
 * SQL for a JSON object with the figures of the range, by metric. Each is counted from a range of an index that exists
 * for other reasons, so no row is written just to be counted.
 *
 * @param most Maximum number of rows read for each; undefined for all.
 */
export function figuresOf({ since, until }: Range, most?: number): SQL {
  const limit = most === undefined ? sql`` : sql.raw(`limit ${most}`);
  const rows = (columns: string, table: string, key: string, from: SQL, to: SQL) =>
    sql`(select ${sql.raw(columns)} from ${sql.raw(table)} where ${sql.raw(key)} >= ${from} and ${sql.raw(key)} < ${to} ${limit})`;
  const codes = rows(
    "identifier, delivered_at, consumed_network, used_for",
    "otp_challenges",
    "cid",
    cidAt(since),
    cidAt(until),
  );
  // A decision is the only audit row of a KYC that staff write and that leaves it decided.
  const decisions = sql`(select 1 from users staff cross join audit_logs on actor_id = staff.id and by_staff = 1
    and audit_logs.id >= ${idAt(since)} and audit_logs.id < ${idAt(until)}
    where staff.role in ('admin', 'staff') and staff.role <> 'user' and action = 'UPDATE' and entity_type = 'kyc'
      and new_values ->> 'status' in ('APPROVED', 'REJECTED') ${limit})`;
  const people = rows("1", "users", "date_joined", whole(since), whole(until));
  const letters = rows("1", "dead_letters", "created_at", whole(since), whole(until));
  return sql`json_patch(
    (select json_object('codes_asked_sms', coalesce(sum(identifier like '+%'), 0),
      'codes_asked_email', coalesce(sum(identifier not like '+%'), 0),
      'codes_delivered_sms', coalesce(sum(delivered_at is not null and identifier like '+%'), 0),
      'codes_delivered_email', coalesce(sum(delivered_at is not null and identifier not like '+%'), 0),
      'codes_verified', coalesce(sum(consumed_network is not null), 0),
      'sign_ins', coalesce(sum(used_for = 'LOGIN'), 0)) from ${codes}),
    json_object('sign_ups', (select count(*) from ${people}), 'dead_letters', (select count(*) from ${letters}),
      'kyc_decided', (select count(*) from ${decisions})))`;
}

/** SQL for the number of KYCs that wait for a decision, for a row of `user_counts`. */
export const pendingKyc: SQL<number> = sql.raw(
  `(${(statusBucketsOf({ kycStatus: "PENDING" }) ?? []).map((bucket) => `(by_status_bucket ->> ${bucket})`).join(" + ")})`,
) as SQL<number>;

/** The figures of one hour. */
interface HourFigures {
  /** `YYYY-MM-DD` in Asia/Kathmandu. */
  day: string;
  /** 0 to 23. */
  hour: number;
  /** SQL for a JSON object: metric to number. */
  figures: SQL;
}

const UNCOUNTED = JSON.stringify(Array<null>(24).fill(null));

/** Stores the figures of an hour if `condition` holds. Repeating it changes nothing. */
export function storeHour(deps: Pick<Deps, "db">, { day, hour, figures }: HourFigures, condition: SQL) {
  return upsert(deps, { day, hour, figures }, condition, sql`excluded.by_hour ->> ${place(hour)}`);
}

/** Adds to the figures of an hour. */
export function addToHour(deps: Pick<Deps, "db">, { day, hour, figures }: HourFigures) {
  const sum = sql`coalesce(daily_counts.by_hour ->> ${place(hour)}, 0) + (excluded.by_hour ->> ${place(hour)})`;
  return upsert(deps, { day, hour, figures }, sql`true`, sum);
}

const place = (hour: number) => sql.raw(`'$[${hour}]'`);

function upsert(deps: Pick<Deps, "db">, { day, hour, figures }: HourFigures, condition: SQL, value: SQL) {
  return insertFrom(
    deps,
    dailyCounts,
    { day, metric: sql`key`, byHour: sql`json_set(${UNCOUNTED}, ${place(hour)}, value)` },
    sql`from json_each(${figures}) where ${condition}`,
  )
    .onConflictDoUpdate({
      target: [dailyCounts.day, dailyCounts.metric],
      set: { byHour: sql`json_set(daily_counts.by_hour, ${place(hour)}, ${value})` },
    })
    .returning({ metric: dailyCounts.metric });
}
