import { eq, type SQL, sql } from "drizzle-orm";
import { sessions } from "../../db/sign-in-schema.ts";
import { referrals, users } from "../../db/user-schema.ts";
import { commit, commitAnswering } from "../../platform/data/commit.ts";
import { type Results, runBatch } from "../../platform/data/database.ts";
import { bindKey, findBinding, IDEMPOTENCY_TTL_MS, type IdempotentCall } from "../../platform/data/idempotency.ts";
import { eventsOf, type recordEvent } from "../../platform/data/outbox.ts";
import type { Batch, BuilderDeps, Statement, StatementDeps, Value } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { openSession } from "../../sessions/session-open.store.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { selectUser, type UserRow } from "../../users/user.store.ts";
import { isReserved } from "../identity/reservation.store.ts";
import { findVerificationToken, sessionOfToken, type TokenRedemption } from "../otp/verification-token.store.ts";
import { dormantBefore, isReleasable } from "./dormant-number.store.ts";

// Shared by register and login.

/** The dependencies of a sign-in. */
export type AccountDeps = StatementDeps & Pick<Deps, "log" | "config">;

/** Reads the state after a sign-in. */
function readOutcome(deps: AccountDeps, redemption: TokenRedemption, call: IdempotentCall | undefined) {
  return {
    token: findVerificationToken(deps, redemption),
    user: selectUser(deps, isIdentifiedBy(redemption.identifier)),
    session: deps.db
      .select()
      .from(sessions)
      .where(
        sql`${sessions.userId} = (select id from users where ${isIdentifiedBy(redemption.identifier)})
          and ${sessions.id} = ${sessionOfToken(redemption)}`,
      ),
    binding: findBinding(deps, call),
    reserved: deps.db
      .select({ one: sql`1` })
      .from(sql`(select 1)`)
      .where(isReserved(deps, redemption.identifier.value)),
    dormant: deps.db
      .select({ one: sql`1` })
      .from(users)
      .where(
        sql`${isIdentifiedBy(redemption.identifier)} and ${isReleasable(dormantBefore(deps, redemption.identifier))}`,
      ),
    referral: deps.db
      .select({ inviteeId: referrals.inviteeId })
      .from(referrals)
      .where(eq(referrals.inviteeId, sql`(select id from users where ${isIdentifiedBy(redemption.identifier)})`)),
  };
}

type EventStatement = ReturnType<typeof recordEvent>;

/** The statements of a sign-in whose results are read. */
type SignInWrites = ReturnType<typeof openSession> & {
  releasedChangeEvent?: EventStatement;
  releasedEvent?: EventStatement;
  releasedMessage?: EventStatement;
  newAccountEvent?: EventStatement;
  newDeviceEvent?: EventStatement;
  changeEvent?: EventStatement;
};

/** Commits a sign-in and reads its outcome. */
export async function commitSignIn(
  deps: AccountDeps,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  writes: SignInWrites,
) {
  const found = await commit(deps, {
    writes,
    reads: readOutcome(deps, redemption, call),
    isCommitted: isRedeemedBy(deps),
  });
  const { newAccountEvent, changeEvent, newDeviceEvent } = found;
  const released = eventsOf(found.releasedChangeEvent, found.releasedEvent, found.releasedMessage);
  return {
    ...describeOutcome(found),
    /** Sessions that this sign-in ended, for the denylist; empty after a lost response. */
    endedSessions: found.endedSessions?.map(({ id }) => id) ?? [],
    /** Events to publish; after a lost response the cron publishes them. */
    events: [...eventsOf(newAccountEvent, changeEvent, newDeviceEvent), ...released],
  };
}

/** Token, user, session and binding after the batch; each undefined if there is none. */
export type SignInOutcome = Awaited<ReturnType<typeof commitSignIn>>;

type Outcome = Results<ReturnType<typeof readOutcome>>;

const describeOutcome = ({ token, user, session, binding, reserved, dormant, referral }: Outcome) => ({
  token: token[0],
  user: user[0],
  session: session[0],
  binding: binding?.[0],
  /** The identifier left another account, which may still undo that. */
  isReserved: reserved.length > 0,
  /** The account has slept so long that its number may have a new owner. */
  isDormant: dormant.length > 0,
  hasReferral: referral.length > 0,
});

/** Whether this invocation redeemed the token that was read. */
const isRedeemedBy =
  ({ invocationId }: AccountDeps) =>
  ({ token }: Outcome) =>
    token[0]?.usedBy === invocationId;

type Returning<Row> = Statement & { readonly _: { readonly result: Row[] } };

/** The statements of a usual sign-in whose results are its outcome. */
type UsualWrites = {
  redeemedToken: Returning<Outcome["token"][number]>;
  user: Returning<UserRow>;
  openedSession: Returning<typeof sessions.$inferSelect>;
  newReferral?: Returning<unknown>;
  newAccountEvent?: EventStatement;
  newDeviceEvent?: EventStatement;
};

/**
 * Commits a sign-in by the few statements of the usual case.
 *
 * @returns undefined if they did not redeem the token and so changed nothing.
 */
export async function commitUsualSignIn(
  deps: AccountDeps,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  writes: Batch<UsualWrites>,
): Promise<SignInOutcome | undefined> {
  const { written, found } = await commitAnswering(deps, {
    writes,
    reads: () => readOutcome(deps, redemption, call),
    isCommitted: isRedeemedBy(deps),
  });
  if (found) return { ...describeOutcome(found), endedSessions: [], events: [] };
  const { redeemedToken, user, openedSession, newReferral = [], newAccountEvent, newDeviceEvent } = written;
  if (redeemedToken.length === 0) return undefined;
  return {
    token: redeemedToken[0],
    user: user[0],
    session: openedSession[0],
    binding: undefined,
    isReserved: false,
    isDormant: false,
    hasReferral: newReferral.length > 0,
    endedSessions: [],
    events: eventsOf(newAccountEvent, newDeviceEvent),
  };
}

/** Names of the values of every usual sign-in's statements. */
export const signInValues = [
  ...(["identifier", "cid", "sessionId", "secretId", "ip", "userAgent", "network"] as const),
  // As `dormantBefore`.
  "dormantBefore" as const,
  // Null without an `Idempotency-Key`.
  ...(["keyHash", "bodyHash"] as const),
];

/** Placeholders for the values of a usual sign-in's statements. */
export type SignInValues = Readonly<Record<(typeof signInValues)[number], SQL>>;

export function valuesOfSignIn(
  deps: AccountDeps,
  { ip, userAgent, network }: Client,
  { identifier, cid, sessionId }: TokenRedemption,
  call: IdempotentCall | undefined,
) {
  const { keyHash = null, bodyHash = null } = call ?? {};
  return {
    identifier: identifier.value,
    cid,
    sessionId,
    secretId: deps.keyring.currentSecretId,
    ip,
    userAgent,
    network,
    dormantBefore: dormantBefore(deps, identifier),
    keyHash,
    bodyHash,
  };
}

export type SignInMethod = (typeof sessions.$inferInsert)["method"];

/** Whether the key is bound to another body, for a call that fails before its batch. */
export async function isKeyReused(deps: AccountDeps, call: IdempotentCall): Promise<boolean> {
  const { binding } = await runBatch(deps, { binding: findBinding(deps, call) });
  return binding?.[0] !== undefined && binding[0].bodyHash !== call.bodyHash;
}

/** The sign-in method for an identifier verified by a one-time code. */
export function methodOf({ kind }: Pick<Identifier, "kind">): SignInMethod {
  return kind === "phone" ? "OTP_PHONE" : "OTP_EMAIL";
}

/** Binds the key to the session for 24 hours if `condition` holds. */
export function bindSession(
  deps: Pick<BuilderDeps, "db" | "now">,
  call: Parameters<typeof bindKey>[1],
  sessionId: Value<string>,
  condition: SQL,
) {
  return bindKey(deps, call, { id: sessionId, expiresAt: sql`${deps.now()} + ${IDEMPOTENCY_TTL_MS}` }, condition);
}
