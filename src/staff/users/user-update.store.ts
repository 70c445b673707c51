import { eq, type SQL, sql } from "drizzle-orm";
import { recordFormerIdentities } from "../../auth/deletion/former-identity.store.ts";
import { identityChanges } from "../../db/identity-schema.ts";
import { familiarNetworks } from "../../db/sign-in-schema.ts";
import { profiles, users } from "../../db/user-schema.ts";
import { instantOf, mergeStatements } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import { mayChangeSignIn } from "../../sessions/authority.store.ts";
import { readsAsIdentifier } from "../../users/lookalike.ts";
import type { ProfileChange } from "../../users/profile.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { withKey } from "../../users/username.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import {
  type Actor,
  changeAccount,
  endEverySession,
  runStaffAction,
  type StaffActionDeps,
} from "./staff-action.store.ts";
import { obstaclesOf } from "./update-obstacles.store.ts";

/** A change of a user in canonical form; null clears a field. */
export interface UserChange extends ProfileChange {
  username?: string | undefined;
  email?: string | null | undefined;
  phone_number?: string | null | undefined;
  profile_picture?: string | null | undefined;
}

/** The column of each field. */
const columns = {
  username: "u.username",
  email: "u.email",
  phone_number: "u.phone_number",
  profile_picture: "u.profile_picture",
  full_name: "p.full_name",
  date_of_birth: "p.date_of_birth",
  address: "p.address",
  avatar_url: "p.avatar_url",
} as const satisfies Record<keyof UserChange, string>;

/** The current value of the field `g.key`. Written out, because D1 accepts at most 100 parameters per statement. */
const current = sql.raw(
  `case g.key ${Object.entries(columns)
    .map(([field, column]) => `when '${field}' then ${column}`)
    .join(" ")} end`,
);

/** An identifier of a user, and its hash by `hashIdentifier`. */
export interface HeldIdentifier {
  identifier: string;
  hash: string;
}

const identifiers = sql.raw("('email', 'phone_number')");
const sensitive = sql.raw("('username', 'email', 'phone_number')");

/**
 * The user's e-mail address and phone number; undefined if there is no such user.
 *
 * @throws AppError `token_not_valid`; `permission_denied`.
 */
export async function findIdentifiers(deps: StaffActionDeps, { caller, userId }: Actor): Promise<string[] | undefined> {
  const { found } = await runStaffBatch(deps, caller, () => ({
    found: deps.db.select({ email: users.email, phone: users.phoneNumber }).from(users).where(eq(users.id, userId)),
  }));
  const [user] = found;
  return user && [user.email, user.phone].filter((identifier) => identifier !== null);
}

/**
 * Changes the given fields of a user and writes one audit row for all of them. A changed identifier becomes unverified
 * and ends all sessions; the known networks of the previous one are forgotten. A notice goes to the previous one, or to
 * the account's other identifier if there was none. A verified identifier that is replaced or removed is recorded as
 * former. Changes nothing if the caller may not change the account or an obstacle applies.
 *
 * @param held the user's identifiers, read before the call, because SQL cannot hash them.
 * @returns in `more`, the possible obstacles: each has a row if it applies. `isUnhashed` means that `held` lacks an
 *   identifier that changes.
 */
export function updateUserRow(
  deps: StaffActionDeps,
  actor: Actor,
  change: UserChange,
  reason: string | undefined,
  held: readonly HeldIdentifier[],
) {
  const { userId } = actor;
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const differing = sql`from users u left join profiles p on p.user_id = u.id, json_each(${JSON.stringify(given)}) g
    where u.id = ${userId} and ${current} is not g.value`;
  const changes = (fields: SQL) => sql`exists (select 1 ${differing} and g.key in ${fields})`;
  const ofNames = obstaclesOf(deps, userId, change, changes(identifiers));
  const obstacles = {
    ...ofNames,
    lacksReason: reason === undefined ? changes(sensitive) : sql`false`,
    // An account may keep an old username.
    isNameLookalike:
      change.username && readsAsIdentifier(change.username) ? changes(sql.raw("('username')")) : sql`false`,
    lacksPasskey: sql`(${changes(identifiers)} and not ${mayChangeSignIn(deps, actor.caller, userId)})`,
    isUnhashed: sql`exists (select 1 ${differing} and g.key in ${identifiers} and ${current} is not null and ${current} not in
      (select value ->> 'identifier' from json_each(${JSON.stringify(held)})))`,
  };
  const isFree = sql.join(
    Object.values(obstacles).map((obstacle) => sql`not ${obstacle}`),
    sql` and `,
  );
  const selectIf = (obstacle: SQL) =>
    deps.db.select({ id: users.id }).from(users).where(sql`${users.id} = ${userId} and ${obstacle}`);
  return runStaffAction(deps, actor, changeAccount, {
    audit: {
      oldValues: sql`(select json_group_object(g.key, ${current}) ${differing})`,
      newValues: sql`json_patch((select json_group_object(g.key, g.value) ${differing}),
        ${JSON.stringify(reason === undefined ? {} : { reason })})`,
    },
    condition: sql`exists (select 1 ${differing}) and ${isFree}`,
    isSoAlready: sql`not exists (select 1 ${differing}) and ${isFree}`,
    follow: (isDone, auditId) => writeChange(deps, actor, change, held, isDone, auditId),
    reads: {
      lacksReason: selectIf(obstacles.lacksReason),
      isIdentifierTaken: selectIf(obstacles.isIdentifierTaken),
      isIdentifierReserved: selectIf(obstacles.isIdentifierReserved),
      isNameTaken: selectIf(obstacles.isNameTaken),
      isNameLookalike: selectIf(obstacles.isNameLookalike),
      isLastWayIn: selectIf(obstacles.isLastWayIn),
      lacksPasskey: selectIf(obstacles.lacksPasskey),
      isUnhashed: selectIf(obstacles.isUnhashed),
    },
  });
}

/** The statements after the audit row with the id `auditId`, whose old values show which fields change. */
function writeChange(
  deps: StaffActionDeps,
  actor: Actor,
  change: UserChange,
  held: readonly HeldIdentifier[],
  isDone: SQL,
  auditId: string,
) {
  const { userId } = actor;
  const changedHere = (name: "email" | "phone_number") =>
    sql`exists (select 1 from audit_logs a, json_each(a.old_values) old
      where a.user_id = ${userId} and a.id = ${auditId} and old.key = ${name})`;
  const isIdentifierChanged = sql`(${changedHere("email")} or ${changedHere("phone_number")})`;
  const unverified = (name: "email" | "phone_number", flag: string) =>
    sql`iif(${changedHere(name)}, 0, ${sql.raw(flag)})`;
  const { changedUser, changeEvent } = changeUser(deps, userId, isDone, {
    ...(change.username === undefined ? {} : { username: change.username, usernameKey: withKey(change.username).key }),
    ...(change.email === undefined ? {} : { email: change.email }),
    ...(change.phone_number === undefined ? {} : { phoneNumber: change.phone_number }),
    ...(change.profile_picture === undefined ? {} : { profilePicture: change.profile_picture }),
    emailVerified: unverified("email", "email_verified"),
    phoneVerified: unverified("phone_number", "phone_verified"),
  });
  const isFreed = (name: "email" | "phone_number", flag: string) =>
    sql`(h.value ->> 'identifier' = ${sql.raw(`users.${name}`)} and ${sql.raw(flag)} and ${changedHere(name)})`;
  const writes = mergeStatements(
    {
      former:
        held.length > 0
          ? recordFormerIdentities(
              deps,
              sql`h.value ->> 'hash'`,
              sql`from json_each(${JSON.stringify(held)}) h, users where users.id = ${userId} and ${isDone}
                and (${isFreed("email", "email_verified")} or ${isFreed("phone_number", "phone_verified")})`,
            )
          : undefined,
      // The owner's own changes can no longer be undone, because staff have decided.
      decided: deps.db
        .update(identityChanges)
        .set({ outcome: "DECIDED", settledBy: deps.invocationId, settledAt: instantOf(deps.now()) })
        .where(sql`user_id = ${userId} and outcome is null and ${isDone} and ${isIdentifierChanged}`),
      forgottenNetworks: deps.db.delete(familiarNetworks).where(
        sql`identifier in (select old.value from audit_logs a, json_each(a.old_values) old
          where a.user_id = ${userId} and a.id = ${auditId} and old.key in ${identifiers})`,
      ),
      changedUser,
      profileChange: deps.db
        .update(profiles)
        .set({
          ...(change.full_name === undefined ? {} : { fullName: change.full_name }),
          ...(change.date_of_birth === undefined ? {} : { dateOfBirth: change.date_of_birth }),
          ...(change.address === undefined ? {} : { address: change.address }),
          ...(change.avatar_url === undefined ? {} : { avatarUrl: change.avatar_url }),
          updatedAt: instantOf(deps.now()),
        })
        .where(
          sql`${profiles.userId} = ${userId} and exists (select 1 from audit_logs a, json_each(a.old_values) old
          where a.user_id = ${userId} and a.id = ${auditId} and old.key in ('full_name', 'date_of_birth', 'address', 'avatar_url'))`,
        ),
    },
    endEverySession(deps, actor, "identifier_changed", sql`${isDone} and ${isIdentifierChanged}`, auditId),
  );
  const recordIdentifierChange = (name: "email" | "phone_number") => {
    const other = name === "email" ? "phone_number" : "email";
    // The row already has the new identifiers.
    const old = (field: "email" | "phone_number") =>
      sql`coalesce((select json_extract(a.old_values, ${`$.${field}`}) from audit_logs a where a.user_id = ${userId} and a.id = ${auditId}),
        ${field === name ? sql`null` : sql`iif(${changedHere(field)}, null, users.${sql.raw(field)})`})`;
    const channel = (field: "email" | "phone_number") => (field === "email" ? "email" : "sms");
    return recordEvent(
      deps,
      {
        type: "user.identifier_changed",
        userId,
        payload: sql`(select json_object('channel', iif(${old(name)} is null, ${channel(other)}, ${channel(name)}),
          'old_identifier', coalesce(${old(name)}, ${old(other)}), 'locale', users.locale) from users where users.id = ${userId})`,
        queue: "tasks",
      },
      sql`${isDone} and ${changedHere(name)}`,
    );
  };
  const [emailChange, phoneChange] = [recordIdentifierChange("email"), recordIdentifierChange("phone_number")];
  return { writes, events: { changeEvent, emailChange, phoneChange } };
}
