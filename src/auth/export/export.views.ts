import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import { formatMinor } from "../../platform/money.ts";
import { isoTime } from "../../platform/time.ts";
import { sessionView, viewSession } from "../../sessions/session.views.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { kycView, type OpenKyc, viewKyc } from "../../users/kyc/kyc.views.ts";
import {
  notificationView,
  profileView,
  usageView,
  userView,
  viewNotification,
  viewProfile,
  viewUsage,
  viewUser,
  viewWallet,
  walletView,
} from "../../users/views.ts";
import type { IdentityRows } from "../identity/identity.store.ts";
import { identityView, viewIdentity } from "../identity/identity.views.ts";
import type { PersonRows } from "./export.store.ts";
import type { ExportLists } from "./export-lists.store.ts";

/** A page of an export. */
export interface ExportPage {
  /** When the export began, in milliseconds since the epoch. */
  exportedAt: number;
  /** Null on further pages. */
  person: (PersonRows & { own: IdentityRows; openKyc: OpenKyc | null }) | null;
  lists: ExportLists;
  /** Id of the newest notification when the person last marked all as read; null if never. */
  readThrough: string | null;
  nextCursor: string | null;
}

const time = z.iso.datetime();
const text = z.string();
const nullable = <T extends z.ZodType>(of: T) => of.nullable();
const values = z.record(z.string(), z.unknown()).nullable();

const account = userView
  .extend({ last_login: nullable(time), last_activity_at: nullable(time), social_profile_data: values })
  .meta({ base: "Account" });
const exportedSession = sessionView
  .extend({ ended_at: nullable(time), ended_because: nullable(text) })
  .meta({ base: "Session" });
const device = z.object({
  ...{ device_id: text, device_type: text, device_name: nullable(text), app_version: nullable(text) },
  ...{ os_version: nullable(text), is_active: z.boolean(), last_used: time, created_at: time },
});
const walletEntry = z.object({
  ...{ transaction_id: text, transaction_type: text, source: text, amount: text, wallet_delta: text },
  ...{ currency: text, occurred_at: time },
});
const pointsEntry = z.object({
  ...{ source: text, reason: text, reference: text, delta: z.number().int(), created_at: time },
});
const rental = z.object({
  ...{ rental_id: text, started_at: nullable(time), returned_at: nullable(time) },
  ...{ on_time: z.boolean().nullable(), amount: nullable(text) },
});
const auditEntry = z.object({
  ...{ id: text, action: text, entity_type: text, entity_id: text, old_values: values, new_values: values },
  by: z.enum(["self", "staff", "system"]),
  ...{ ip: nullable(text), user_agent: nullable(text), session_id: nullable(text), created_at: time },
});
const identityChange = z.object({
  ...{ kind: z.enum(["email", "phone"]), old_identifier: nullable(text), new_identifier: nullable(text) },
  ...{ created_at: time, outcome: nullable(text) },
});

/** All that is held about a person, for that person. */
export const exportView = z
  .object({
    exported_at: time,
    account: nullable(account),
    profile: nullable(profileView),
    identity: nullable(identityView),
    identity_changes: z.array(identityChange),
    known_networks: z.array(z.object({ network: text, last_sign_in_at: time })),
    sessions: z.array(exportedSession),
    devices: z.array(device),
    kyc: nullable(kycView),
    wallet: nullable(walletView.omit({ points: true })),
    points: nullable(walletView.shape.points),
    ledgers: z.object({ wallet: z.array(walletEntry), points: z.array(pointsEntry) }),
    rentals: z.array(rental),
    favorites: z.array(z.object({ station_id: text, is_favorite: z.boolean(), changed_at: time })),
    statistics: nullable(usageView),
    referral: nullable(z.object({ status: text, created_at: time, completed_at: nullable(time) })),
    notifications: z.array(notificationView),
    audit: z.array(auditEntry),
    next_cursor: nullable(text),
  })
  .meta({ id: "Export" });

type ViewDeps = Pick<Deps, "now" | "config">;

/** Names of the values of audit rows that contain the id of a member of staff. */
const COLLEAGUES = ["first_approved_by"];

function withoutColleagues(given: Record<string, unknown> | null): Record<string, unknown> | null {
  return given && Object.fromEntries(Object.entries(given).filter(([name]) => !COLLEAGUES.includes(name)));
}

/** Shows IP address, user agent and session only if the person made the entry, because otherwise they are others'. */
function viewAudit(row: ExportLists["audit"][number], userId: string): z.input<typeof auditEntry> {
  const isOwn = row.actorId === userId;
  return {
    id: row.id,
    action: row.action,
    entity_type: row.entityType,
    entity_id: row.entityId,
    old_values: withoutColleagues(row.oldValues),
    new_values: withoutColleagues(row.newValues),
    by: isOwn ? "self" : row.byStaff ? "staff" : "system",
    ip: isOwn ? row.ip : null,
    user_agent: isOwn ? row.userAgent : null,
    session_id: isOwn ? row.sessionId : null,
    created_at: isoTime(row.createdAt),
  };
}

function viewPerson(deps: ViewDeps, person: ExportPage["person"]) {
  const user = person?.account[0];
  const wallet = person?.wallet[0];
  const usage = person?.usage[0];
  if (!person || !user || !wallet || !usage) {
    return {
      ...{ account: null, profile: null, identity: null, identity_changes: [], known_networks: [], devices: [] },
      ...{ kyc: null, wallet: null, points: null, statistics: null, referral: null },
    };
  }
  const { points, ...balance } = viewWallet(wallet);
  const [profile, referral] = [person.profile[0], person.referral[0]];
  return {
    account: {
      ...viewUser(user),
      last_login: isoTime(user.lastLogin),
      last_activity_at: isoTime(user.lastActivityAt),
      social_profile_data: user.socialProfileData,
    },
    profile: profile ? viewProfile(profile) : null,
    identity: viewIdentity(deps, person.own),
    identity_changes: person.changes.map((row) => ({
      kind: row.kind,
      old_identifier: row.oldIdentifier,
      new_identifier: row.newIdentifier,
      created_at: isoTime(row.createdAt),
      outcome: row.outcome,
    })),
    known_networks: person.networks.map(({ network, lastSignInAt }) => ({
      network,
      last_sign_in_at: isoTime(lastSignInAt),
    })),
    devices: person.devices.map((row) => ({
      device_id: row.deviceId,
      device_type: row.deviceType,
      device_name: row.deviceName,
      app_version: row.appVersion,
      os_version: row.osVersion,
      is_active: row.isActive,
      last_used: isoTime(row.lastUsedAt),
      created_at: isoTime(row.createdAt),
    })),
    kyc: person.openKyc && viewKyc(person.openKyc),
    wallet: balance,
    points,
    statistics: viewUsage(usage),
    referral: referral
      ? {
          status: referral.status,
          created_at: isoTime(referral.createdAt),
          completed_at: isoTime(referral.completedAt),
        }
      : null,
  };
}

export function viewExport(
  deps: ViewDeps,
  caller: AccessClaims,
  { exportedAt, person, lists, readThrough, nextCursor }: ExportPage,
): z.input<typeof exportView> {
  return {
    exported_at: isoTime(exportedAt),
    ...viewPerson(deps, person),
    sessions: lists.sessions.map((row) => ({
      ...viewSession(row, caller.sessionId),
      ended_at: isoTime(row.revokedAt),
      ended_because: row.revokedReason,
    })),
    ledgers: {
      wallet: lists.walletTransactions.map((row) => ({
        transaction_id: row.transactionId,
        transaction_type: row.transactionType,
        source: row.source,
        amount: formatMinor(row.amountMinor),
        wallet_delta: formatMinor(row.walletDeltaMinor),
        currency: row.currency,
        occurred_at: isoTime(row.occurredAt),
      })),
      points: lists.pointTransactions.map(({ source, reason, reference, delta, createdAt }) => ({
        ...{ source, reason, reference, delta, created_at: isoTime(createdAt) },
      })),
    },
    rentals: lists.rentals.map((row) => ({
      rental_id: row.rentalId,
      started_at: isoTime(row.startedAt),
      returned_at: isoTime(row.returnedAt),
      on_time: row.isOnTime,
      amount: row.amountMinor === null ? null : formatMinor(row.amountMinor),
    })),
    favorites: lists.favorites.map((row) => ({
      station_id: row.stationId,
      is_favorite: row.isFavorite,
      changed_at: isoTime(row.changedAt),
    })),
    notifications: lists.notifications.map(({ readAt, ...row }) =>
      viewNotification({ ...row, isRead: readAt !== null || (readThrough !== null && row.id <= readThrough) }),
    ),
    audit: lists.audit.map((row) => viewAudit(row, caller.userId)),
    next_cursor: nextCursor,
  };
}
