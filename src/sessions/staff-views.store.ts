import { type SQL, sql } from "drizzle-orm";
import { raiseAlert } from "../platform/alerts.ts";
import { recordAudit } from "../platform/data/audit.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import type { AppError } from "../platform/http/errors.ts";
import { beyondLimit } from "../platform/http/rate-limit.ts";
import { HOUR_MS } from "../platform/time.ts";
import { firstIdInWindow, timeOfId } from "../platform/uuid.ts";
import type { AccessClaims } from "./tokens.ts";

/** The sliding window of the limit of views, in milliseconds. */
export const STAFF_VIEWS_WINDOW_MS = HOUR_MS;

type ViewDeps = Pick<Deps, "db" | "now" | "newId" | "config">;

/** What a member of staff is shown of a user. */
export interface StaffView {
  /** Id of the audit row, by which later statements of the batch find out whether the view was permitted. */
  id: string;
  userId: string | SQL;
  entityType: "user" | "user_field" | "kyc" | "kyc_document" | "audit_log";
  entityId: string | SQL;
  newValues?: SQL;
}

/** The views of the member of staff in the window: a FROM clause that reads only the index of staff acts. */
export function recentViews(deps: Pick<Deps, "now">, userId: string | SQL): SQL {
  const since = firstIdInWindow(deps.now(), STAFF_VIEWS_WINDOW_MS);
  return sql`from audit_logs where actor_id = ${userId} and by_staff = 1 and action = 'VIEW' and id >= ${since}`;
}

/** SQL for the number of views that the member of staff has left in the window; 0 or more. */
export function viewsLeft(deps: Pick<Deps, "now" | "config">, viewer: Pick<AccessClaims, "userId">): SQL<number> {
  const limit = sql.raw(String(deps.config.staffViewsPerHour));
  return sql`(${limit} - (select count(*) from (select 1 ${recentViews(deps, viewer.userId)} limit ${limit})))`;
}

/**
 * Records the view if `condition` holds and the viewer has views left. What the view shows must be selected under
 * `isRecorded`, so that nobody sees anything without its audit row.
 */
export function recordStaffView(
  deps: ViewDeps,
  client: Pick<Client, "ip" | "userAgent">,
  viewer: AccessClaims,
  view: StaffView,
  condition: SQL,
) {
  return recordAudit(
    deps,
    client,
    { ...view, action: "VIEW", actorId: viewer.userId, byStaff: true, sessionId: viewer.sessionId },
    sql`${condition} and ${viewsLeft(deps, viewer)} > 0`,
  );
}

/** The audit row with this id exists, and it records an act of this member of staff. */
export function isRecorded({ userId }: Pick<AccessClaims, "userId">, id: string): SQL {
  return sql`exists (select 1 from audit_logs where actor_id = ${userId} and by_staff = 1 and id = ${id})`;
}

/** `value` if the audit row with this id was written, else NULL, which equals no column. */
export function ifRecorded(viewer: Pick<AccessClaims, "userId">, id: string, value: string | SQL): SQL {
  return sql`(select case when ${isRecorded(viewer, id)} then ${value} end)`;
}

/**
 * Selects the id of the view that must leave the window before the viewer has views again; no row while some are left,
 * or if the view with the id was recorded.
 *
 * @param exists what is viewed exists; if not, no views are read.
 */
export function selectOldestView(
  deps: Pick<Deps, "db" | "now" | "config">,
  viewer: Pick<AccessClaims, "userId">,
  viewId: string,
  exists: SQL = sql`true`,
) {
  const viewerUnlessRecorded = sql`(select case when ${exists} and not ${isRecorded(viewer, viewId)} then ${viewer.userId} end)`;
  const offset = sql.raw(String(deps.config.staffViewsPerHour - 1));
  return deps.db
    .select({ id: sql<string>`id`.as("id") })
    .from(sql`(select id ${recentViews(deps, viewerUnlessRecorded)} order by id desc limit 1 offset ${offset})`);
}

/** Raises the alert for a member of staff who has no views left. */
export function reportViewsUsedUp(deps: Pick<Deps, "config" | "log">, viewer: Pick<AccessClaims, "userId">): void {
  raiseAlert(deps, "staff_views_limit", { viewer_id: viewer.userId, views: deps.config.staffViewsPerHour });
}

/**
 * Builds the error for a view that the limit refused, and raises the alert.
 *
 * @param oldest the rows of `selectOldestView`.
 */
export function beyondStaffViews(
  deps: Pick<Deps, "now" | "config" | "log">,
  viewer: Pick<AccessClaims, "userId">,
  oldest: readonly { id: string }[],
): AppError {
  const endsAt = (oldest[0] ? timeOfId(oldest[0].id) : deps.now()) + STAFF_VIEWS_WINDOW_MS;
  const policy = { count: deps.config.staffViewsPerHour, windowMs: STAFF_VIEWS_WINDOW_MS };
  reportViewsUsedUp(deps, viewer);
  return beyondLimit("staff-views", policy, Math.ceil((endsAt - deps.now()) / 1000), "views of one member of staff");
}
