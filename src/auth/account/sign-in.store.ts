import { eq, type SQL, sql } from "drizzle-orm";
import { OWN_SOURCE, points, pointTransactions } from "../../db/ledger-schema.ts";
import { sessions } from "../../db/sign-in-schema.ts";
import { referrals } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, runBatch } from "../../platform/data/database.ts";
import { bindKey, findBinding, IDEMPOTENCY_TTL_MS, type IdempotentCall } from "../../platform/data/idempotency.ts";
import { eventsOf, type recordEvent } from "../../platform/data/outbox.ts";
import { after, type Batch, prepared, type StatementDeps } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { openSession } from "../../sessions/session-open.store.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { selectUser } from "../../users/user.store.ts";
import { isFormerIdentity } from "../deletion/former-identity.store.ts";
import { findVerificationToken, type TokenRedemption } from "../otp/verification-token.store.ts";

// Shared by register and login.

/** Points granted to every new user once. */
const SIGNUP_BONUS = 50;

/** The dependencies of a sign-in. */
export type AccountDeps = StatementDeps & Pick<Deps, "log">;

/** Reads the state after a sign-in. */
function readOutcome(deps: StatementDeps, redemption: TokenRedemption, call: IdempotentCall | undefined) {
  return {
    token: findVerificationToken(deps, redemption),
    user: selectUser(deps, isIdentifiedBy(redemption.identifier)),
    session: deps.db
      .select()
      .from(sessions)
      .where(
        sql`${sessions.userId} = (select id from users where ${isIdentifiedBy(redemption.identifier)}) and ${sessions.id} =
          (select session_id from verification_tokens where token_hash = ${redemption.tokenHash} and identifier = ${redemption.identifier.value})`,
      ),
    binding: findBinding(deps, call),
    referral: deps.db
      .select({ inviteeId: referrals.inviteeId })
      .from(referrals)
      .where(eq(referrals.inviteeId, sql`(select id from users where ${isIdentifiedBy(redemption.identifier)})`)),
  };
}

type EventStatement = ReturnType<typeof recordEvent>;

/** The statements of a sign-in whose results are read. */
type SignInWrites = ReturnType<typeof openSession> & {
  newAccountEvent?: EventStatement;
  newDeviceEvent?: EventStatement;
  changeEvent?: EventStatement;
};

const outcomeReads = prepared(readOutcome);

/** Commits a sign-in and reads its outcome. */
export async function commitSignIn(
  deps: AccountDeps,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  writes: Batch<SignInWrites>,
) {
  const found = await commit(deps, {
    writes,
    reads: outcomeReads(deps, redemption, call),
    isCommitted: ({ token }) => token[0]?.usedBy === deps.invocationId,
  });
  return {
    token: found.token[0],
    user: found.user[0],
    session: found.session[0],
    binding: found.binding?.[0],
    hasReferral: found.referral.length > 0,
    /** Sessions that this sign-in ended, for the denylist; empty after a lost response. */
    endedSessions: found.endedSessions?.map(({ id }) => id) ?? [],
    /** Events to publish; after a lost response the cron publishes them. */
    events: eventsOf(found.newAccountEvent, found.changeEvent, found.newDeviceEvent),
  };
}

/** Token, user, session and binding after the batch; each undefined if there is none. */
export type SignInOutcome = Awaited<ReturnType<typeof commitSignIn>>;

/**
 * Enters the signup bonus into the ledger once per user, if `condition` holds. `isEntered` tells later statements of the
 * batch whether it was.
 *
 * @param identities as `isFormerIdentity` takes them; nothing is entered if one has left an account.
 */
export function enterSignupBonus(
  deps: Pick<Deps, "db" | "now" | "newId">,
  userId: SQL,
  identities: readonly string[],
  condition: SQL,
) {
  const id = deps.newId();
  return {
    bonusEntry: insertWhere(
      deps,
      pointTransactions,
      {
        id,
        userId,
        source: OWN_SOURCE,
        delta: SIGNUP_BONUS,
        reason: "signup_bonus",
        reference: "signup",
        createdAt: deps.now(),
      },
      sql`${condition} and not ${isFormerIdentity(identities)}`,
    ).onConflictDoNothing(),
    isEntered: sql`exists (select 1 from point_transactions where id = ${id})`,
  };
}

/** Inserts the new user's points, with the signup bonus if `hasBonus` holds and the user exists by `condition`. */
export function insertPoints(deps: Pick<Deps, "db" | "now">, userId: string, hasBonus: SQL, condition: SQL) {
  const balance = sql`${SIGNUP_BONUS} * ${hasBonus}`;
  return insertWhere(
    deps,
    points,
    { userId, currentPoints: balance, totalPoints: balance, updatedAt: deps.now() },
    condition,
  );
}

/** Credits the signup bonus to a user who has points already, once per user, if `condition` holds. */
export function grantSignupBonus(deps: StatementDeps, userId: SQL, identities: readonly string[], condition: SQL) {
  const { bonusEntry, isEntered } = enterSignupBonus(deps, userId, identities, condition);
  return {
    bonusEntry,
    bonus: deps.db
      .update(points)
      .set({
        currentPoints: sql`${points.currentPoints} + ${SIGNUP_BONUS}`,
        totalPoints: sql`${points.totalPoints} + ${SIGNUP_BONUS}`,
        updatedAt: deps.now(),
      })
      .where(sql`${points.userId} = ${userId} and ${isEntered}`),
  };
}

export type SignInMethod = (typeof sessions.$inferInsert)["method"];

/** Whether the key is bound to another body, for a call that fails before its batch. */
export async function isKeyReused(deps: AccountDeps, call: IdempotentCall): Promise<boolean> {
  const { binding } = await runBatch(deps, { binding: findBinding(deps, call) });
  return binding?.[0] !== undefined && binding[0].bodyHash !== call.bodyHash;
}

/** The sign-in method for an identifier verified by a one-time code. */
export function methodOf(identifier: Identifier): SignInMethod {
  return identifier.kind === "phone" ? "OTP_PHONE" : "OTP_EMAIL";
}

/** Binds the key to the session for 24 hours if `condition` holds. */
export function bindSession(deps: StatementDeps, call: IdempotentCall | undefined, sessionId: string, condition: SQL) {
  return bindKey(deps, call, { id: sessionId, expiresAt: after(deps.now(), IDEMPOTENCY_TTL_MS) }, condition);
}
