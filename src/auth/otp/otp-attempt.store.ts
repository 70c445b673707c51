import { sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { boundResultId, type IdempotentCall } from "../../platform/data/idempotency.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";
import { type LiveCode, selectLiveCodes } from "./live-codes.store.ts";
import { blockedUntil, networkClassOf, networkMayAttempt, type OtpRequester } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

export type AttemptDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** A guess at the codes of one identifier. */
export interface Guess {
  /** The codes that it is compared with. */
  codes: (LiveCode & {
    /** The guess's hash for this code; undefined when the code's secret has been retired. */
    hash: string | undefined;
  })[];
  /** The codes were named by an earlier round of this attempt; otherwise they are a hint that may be stale. */
  isNamed: boolean;
}

/** One call of otp/verify. */
export interface Attempt {
  identifier: Identifier;
  requester: OtpRequester;
  call: IdempotentCall | undefined;
  guess: Guess;
}

/** The conditions on which the statements of one attempt depend. */
export function conditionsOf(deps: AttemptDeps, { requester, call, guess }: Attempt) {
  const now = deps.now();
  const { identifier, network } = requester;
  const networkClass = networkClassOf(requester, now);
  const attempts = sql`case (${networkClass}) when 'familiar' then ${otpChallenges.attemptsFamiliar} else ${otpChallenges.attemptsOther} end`;
  const hasAttemptsLeft = sql`(${attempts}) < ${otpLimits.attemptsPerCode}`;
  const isKnown = sql`cid in (select value from json_each(${JSON.stringify(guess.codes.map(({ cid }) => cid))}))`;
  const isNewest = sql`cid in (select cid from ${selectLiveCodes(deps, identifier)})`;
  const isVerifiedHere = sql`${isKnown} and consumed_by = ${deps.invocationId} and consumed_network is not null`;
  const isVerified = sql`exists (select 1 from otp_challenges where ${isVerifiedHere})`;
  const keyCid = call ? boundResultId(deps, call) : sql`null`;
  return {
    networkClass,
    hasAttemptsLeft,
    isKnown,
    /** The guess is compared with this code. */
    isCompared: guess.isNamed
      ? // A later code than those named is later than the attempt.
        sql`${isKnown} and identifier = ${identifier} and expires_at > ${now} and consumed_by is null`
      : isNewest,
    /** The hash of every live code is known. */
    isDecided: guess.isNamed
      ? sql`true`
      : sql`not exists (select 1 from otp_challenges where ${isNewest} and ${hasAttemptsLeft} and not ${isKnown})`,
    /** Neither a lock nor the network's limit refuses the attempt. */
    isAllowed: sql`(${blockedUntil(requester, now)} <= ${now} and ${networkMayAttempt(requester, now)})`,
    /** This invocation verified this code. */
    isVerifiedHere,
    /** This invocation verified a code. */
    isVerified,
    /** This invocation charged an attempt and verified no code. */
    isFailure: sql`(not ${isVerified} and exists (select 1 from otp_challenges
      where (${isKnown} or cid = ${keyCid}) and charged_by = ${deps.invocationId}))`,
    /** This invocation set a lock. */
    isLocked: sql`(exists (select 1 from otp_network_guards
        where identifier = ${identifier} and network = ${network} and locked_by = ${deps.invocationId})
      or exists (select 1 from otp_class_guards where identifier = ${identifier} and locked_by = ${deps.invocationId}))`,
    /** The id of the code whose verification the call's key is bound to; NULL if it is not bound. */
    keyCid,
  };
}

export type Conditions = ReturnType<typeof conditionsOf>;
