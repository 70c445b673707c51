import { and, desc, eq, isNull, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { instantOf, literal, mergeStatements } from "../../platform/data/database.ts";
import { bindKey, isBound, isBoundToBody, isBoundToOtherBody } from "../../platform/data/idempotency.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import { type BuilderDeps, prepare } from "../../platform/data/prepared.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { isCreatedAfter } from "./cid.ts";
import { selectLiveCodes } from "./live-codes.store.ts";
import {
  type Attempt,
  type AttemptDeps,
  type AttemptValues,
  type AttemptVariant,
  attemptValues,
  conditionsOf,
  valuesOfAttempt,
} from "./otp-attempt.store.ts";
import {
  attemptWindowEndsAt,
  blockedUntil,
  countNetworkAttempt,
  networkMayAttempt,
  recordFailure,
  resetFailures,
} from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";
import { hasLiveToken } from "./verification-token.store.ts";

function writeAttempt(deps: BuilderDeps, variant: AttemptVariant, values: AttemptValues) {
  const is = conditionsOf(deps, variant, values);
  const now = deps.now();
  const call = variant.hasKey ? values : undefined;
  const isAccount = isIdentifiedBy({ kind: variant.kind, value: values.identifier });
  const fits = sql`${otpChallenges.codeHash} in (select value from json_each(${values.hashes}))`;
  const charge = {
    chargedBy: deps.invocationId,
    attemptsFamiliar: sql`${otpChallenges.attemptsFamiliar} + ((${is.networkClass}) = 'familiar')`,
    attemptsOther: sql`${otpChallenges.attemptsOther} + ((${is.networkClass}) = 'other')`,
  };
  return mergeStatements(
    {
      attempt: deps.db
        .update(otpChallenges)
        .set({
          chargedBy: deps.invocationId,
          // Once a code is verified, its counters count guesses at the body that its key is bound to.
          attemptsFamiliar: sql`case when ${fits} then 0 else ${charge.attemptsFamiliar} end`,
          attemptsOther: sql`case when ${fits} then 0 else ${charge.attemptsOther} end`,
          consumedBy: sql`case when ${fits} then ${deps.invocationId} end`,
          consumedAt: sql`case when ${fits} then ${instantOf(now)} end`,
          sealedCode: sql`case when ${fits} then null else ${otpChallenges.sealedCode} end`,
          consumedNetwork: sql`case when ${fits} then ${values.network} end`,
        })
        .where(and(is.isCompared, is.hasAttemptsLeft, is.isAllowed, is.isDecided, sql`not ${isBound(deps, call)}`)),
      attemptBehindKey: call
        ? deps.db
            .update(otpChallenges)
            .set(charge)
            .where(and(sql`cid = ${is.keyCid}`, is.hasAttemptsLeft, is.isAllowed, isBoundToOtherBody(deps, call)))
        : undefined,
      // Before `recordFailure`, whose lock would make `isAllowed` false. A repeated call is not counted.
      counted: countNetworkAttempt(
        deps,
        values.network,
        sql`not ${is.isVerified} and ${is.isAllowed} and ${is.isDecided} and not ${isBoundToBody(deps, call)}`,
      ),
    },
    recordFailure(deps, values, is.isFailure),
    {
      lockout: recordEvent(
        deps,
        {
          type: "auth.lockout",
          userId: sql`(select id from users where ${isAccount})`,
          payload: sql`json_object('network', ${values.network})`,
          queue: "tasks",
        },
        sql`${is.isLocked} and exists (select 1 from users where ${isAccount})`,
      ),
      consumedOthers: deps.db
        .update(otpChallenges)
        .set({ consumedBy: deps.invocationId, consumedAt: instantOf(now), sealedCode: null })
        .where(
          and(
            eq(otpChallenges.identifier, values.identifier),
            isCreatedAfter(sql`${now} - ${literal(otpLimits.ttlMs)}`),
            isNull(otpChallenges.consumedBy),
            is.isVerified,
          ),
        ),
    },
    resetFailures(deps, values, is.isVerified),
    {
      bind: bindKey(
        deps,
        call,
        {
          id: sql`(select max(cid) from otp_challenges where ${is.isVerifiedHere})`,
          expiresAt: sql`${now} + ${literal(otpLimits.verificationTokenTtlMs)}`,
        },
        is.isVerified,
      ),
    },
  );
}

function readAttempt(deps: BuilderDeps, variant: AttemptVariant, values: AttemptValues) {
  const is = conditionsOf(deps, variant, values);
  const now = deps.now();
  const call = variant.hasKey ? values : undefined;
  const { identifier, network } = values;
  return {
    compared: deps.db
      .select({
        cid: otpChallenges.cid,
        secretId: otpChallenges.secretId,
        isVerified: sql<number>`${is.isVerifiedHere}`.as("is_verified"),
      })
      .from(otpChallenges)
      .where(sql`${is.isKnown} and (charged_by = ${deps.invocationId} or ${is.isVerifiedHere})`)
      .orderBy(desc(otpChallenges.cid)),
    state: deps.db
      .select({
        // Counted from the time that decided, because the clock goes on while the batch is under way.
        lockedForMs: sql<number>`max(0, ${blockedUntil(values, now)} - ${now})`.as("locked_for_ms"),
        attemptWindowEndsInMs: sql<number>`max(0, ${attemptWindowEndsAt(network)} - ${now})`.as(
          "attempt_window_ends_in_ms",
        ),
        networkMayAttempt: sql<number>`${networkMayAttempt(values, now)}`.as("may_network_attempt"),
        failures: sql<number>`coalesce((select count(*) from otp_network_guards g, json_each(g.failures)
          where g.identifier = ${identifier} and g.network = ${network}
          and json_each.value > ${now} - ${literal(otpLimits.lock.perNetwork.windowMs)}), 0)`.as("failures"),
        isLocked: sql<number>`${is.isLocked}`.as("is_locked"),
        isKeyReused: sql<number>`${isBoundToOtherBody(deps, call)}`.as("is_key_reused"),
        isUndecided: sql<number>`not ${is.isDecided} and ${is.isAllowed} and not ${isBound(deps, call)}`.as(
          "is_undecided",
        ),
      })
      .from(sql`(select 1)`),
    liveCodes: variant.isNamed ? undefined : selectLiveCodes(deps, identifier),
    usedHere: deps.db
      .select({ cid: otpChallenges.cid, codeHash: otpChallenges.codeHash, secretId: otpChallenges.secretId })
      .from(otpChallenges)
      .where(
        and(
          eq(otpChallenges.identifier, values.identifier),
          isCreatedAfter(sql`${now} - ${literal(otpLimits.ttlMs)}`),
          eq(otpChallenges.consumedNetwork, network),
        ),
      )
      .orderBy(desc(otpChallenges.cid))
      .limit(1),
    replayed: call
      ? deps.db
          .select({ cid: otpChallenges.cid, secretId: otpChallenges.secretId })
          .from(otpChallenges)
          .where(
            and(
              sql`cid = ${is.keyCid}`,
              hasLiveToken(deps),
              isBoundToBody(deps, call),
              is.isAllowed,
              is.hasAttemptsLeft,
            ),
          )
      : undefined,
    account: deps.db
      .select({ id: users.id })
      .from(users)
      .where(isIdentifiedBy({ kind: variant.kind, value: identifier })),
  };
}

const prepareAttempt = (variant: AttemptVariant) => ({
  writes: prepare(attemptValues, (deps, values) => writeAttempt(deps, variant, values)),
  reads: prepare(attemptValues, (deps, values) => readAttempt(deps, variant, values)),
});

const prepareBoth = (kind: Identifier["kind"], hasKey: boolean) => ({
  hinted: prepareAttempt({ kind, hasKey, isNamed: false }),
  named: prepareAttempt({ kind, hasKey, isNamed: true }),
});

const attempts = {
  phone: { plain: prepareBoth("phone", false), keyed: prepareBoth("phone", true) },
  email: { plain: prepareBoth("email", false), keyed: prepareBoth("email", true) },
};

/**
 * Takes the two newest live codes and compares a guess with each that has attempts left, in one transaction. Its first
 * statement charges an attempt to each of them and verifies the code that fits, so that no other call or crash comes
 * between charge and comparison. If a code fits, its verification token becomes valid, all other live codes are
 * consumed and the failures of the network class are reset; otherwise, if an attempt was charged, a failure is
 * recorded. If the key is bound to another body, the attempt counts as a guess at that body and is charged to the code
 * behind it.
 *
 * The hashes are compared by SQL `=`, not in constant time: they are HMACs under a secret pepper, so the time of a
 * comparison tells nothing to a caller, who cannot compute them (ASVS 11.2.4).
 *
 * @returns `verified`, the code that fits; `isUndecided` if nothing was changed because a live code is missing from
 *   `guess.codes`, and a second round with `liveCodes` decides; `lockedForMs` (0 if not locked when the attempt
 *   was decided), which refuses the attempt only if it was not charged.
 */
export async function recordAttempt(deps: AttemptDeps, attempt: Attempt) {
  const { identifier, call, guess } = attempt;
  const prepared = attempts[identifier.kind][call ? "keyed" : "plain"][guess.isNamed ? "named" : "hinted"];
  const values = valuesOfAttempt(attempt);
  const found = await commit(deps, {
    writes: prepared.writes(deps, values),
    reads: prepared.reads(deps, values),
    isCommitted: ({ compared }) => compared.length > 0,
  });
  const [state] = found.state;
  if (!state) throw new Error("the state of an attempt has one row");
  const isCharged = found.compared.length > 0;
  return {
    ...state,
    isCharged,
    isCounted: isCharged || (found.counted?.length ?? 0) > 0,
    isUndecided: !isCharged && state.isUndecided === 1,
    verified: found.compared.find(({ isVerified }) => isVerified === 1),
    liveCodes: found.liveCodes ?? [],
    lockout: found.lockout ?? [],
    replayed: found.replayed?.[0],
    usedHere: found.usedHere[0],
    hasAccount: found.account.length > 0,
  };
}
