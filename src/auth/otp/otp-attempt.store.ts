import { type SQL, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { literal } from "../../platform/data/database.ts";
import { boundResultId, type IdempotentCall } from "../../platform/data/idempotency.ts";
import type { BuilderDeps, StatementDeps } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";
import { type LiveCode, selectLiveCodes } from "./live-codes.store.ts";
import { blockedUntil, networkClassOf, networkMayAttempt } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

export type AttemptDeps = StatementDeps & Pick<Deps, "log">;

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
  network: string;
  call: IdempotentCall | undefined;
  guess: Guess;
}

/** What the SQL text of an attempt's statements depends on. */
export interface AttemptVariant {
  kind: Identifier["kind"];
  hasKey: boolean;
  /** As `Guess`. */
  isNamed: boolean;
}

/** Names of the values of an attempt's statements. */
export const attemptValues = [
  ...(["identifier", "network"] as const),
  // JSON arrays: the ids of the guess's codes, and its hashes.
  ...(["cids", "hashes"] as const),
  // Null without an `Idempotency-Key`.
  ...(["keyHash", "bodyHash"] as const),
];

/** Placeholders for the values of an attempt's statements. */
export type AttemptValues = Readonly<Record<(typeof attemptValues)[number], SQL>>;

export function valuesOfAttempt({ identifier, network, call, guess }: Attempt) {
  const { keyHash = null, bodyHash = null } = call ?? {};
  return {
    identifier: identifier.value,
    network,
    cids: JSON.stringify(guess.codes.map(({ cid }) => cid)),
    hashes: JSON.stringify(guess.codes.flatMap(({ hash }) => hash ?? [])),
    keyHash,
    bodyHash,
  };
}

/** The conditions on which the statements of one attempt depend. */
export function conditionsOf(deps: BuilderDeps, { hasKey, isNamed }: AttemptVariant, values: AttemptValues) {
  const now = deps.now();
  const { identifier, network } = values;
  const networkClass = networkClassOf(values, now);
  const attempts = sql`case (${networkClass}) when 'familiar' then ${otpChallenges.attemptsFamiliar} else ${otpChallenges.attemptsOther} end`;
  const hasAttemptsLeft = sql`(${attempts}) < ${literal(otpLimits.attemptsPerCode)}`;
  const isKnown = sql`cid in (select value from json_each(${values.cids}))`;
  const isNewest = sql`cid in (select cid from ${selectLiveCodes(deps, identifier)})`;
  const isVerifiedHere = sql`${isKnown} and consumed_by = ${deps.invocationId} and consumed_network is not null`;
  const isVerified = sql`exists (select 1 from otp_challenges where ${isVerifiedHere})`;
  const keyCid = hasKey ? boundResultId(deps, values) : sql`null`;
  return {
    networkClass,
    hasAttemptsLeft,
    isKnown,
    /** The guess is compared with this code. */
    isCompared: isNamed
      ? // A code that was requested after the first round is not compared.
        sql`${isKnown} and identifier = ${identifier} and expires_at > ${now} and consumed_by is null`
      : isNewest,
    /** Every live code that has attempts left is among the guess's codes. */
    isDecided: isNamed
      ? sql`true`
      : sql`not exists (select 1 from otp_challenges where ${isNewest} and ${hasAttemptsLeft} and not ${isKnown})`,
    /** Neither a lock nor the network's limit refuses the attempt. */
    isAllowed: sql`(${blockedUntil(values, now)} <= ${now} and ${networkMayAttempt(values, now)})`,
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
