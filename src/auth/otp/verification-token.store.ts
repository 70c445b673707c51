import { and, eq, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import type { Identifier } from "../../users/identifier.ts";
import { otpLimits } from "./otp-limits.ts";

type TokenDeps = Pick<BuilderDeps, "db" | "now" | "invocationId">;

/** The redemption of a verification token to open a session. */
export interface TokenRedemption {
  /** The challenge id in the token, as `readVerificationToken` returns it. */
  cid: string;
  identifier: Identifier;
  /** `CONSOLE` opens a session of the staff console, for staff only. */
  usedFor: "REGISTER" | "LOGIN" | "CONSOLE";
  sessionId: string;
}

/** A redemption, or placeholders for its values. */
export interface RedemptionValues {
  cid: Value<string>;
  identifier: { kind: Identifier["kind"]; value: Value<string> };
  usedFor: TokenRedemption["usedFor"];
  sessionId: Value<string>;
}

const tokenState = {
  usedBy: otpChallenges.usedBy,
  usedAt: otpChallenges.usedAt,
  usedFor: otpChallenges.usedFor,
  expiresAt: sql<number>`${otpChallenges.consumedAt} + ${sql.raw(String(otpLimits.verificationTokenTtlMs))}`.as(
    "token_expires_at",
  ),
};

/** The row of `otp_challenges` has an unused verification token that has not expired. */
export function hasLiveToken(deps: Pick<BuilderDeps, "now">): SQL | undefined {
  return and(
    isNotNull(otpChallenges.consumedNetwork),
    isNull(otpChallenges.usedBy),
    sql`${otpChallenges.consumedAt} > ${deps.now()} - ${otpLimits.verificationTokenTtlMs}`,
  );
}

/** The row of `otp_challenges` belongs to one of the user's identifiers. */
export function isOwnIdentifier(userId: string): SQL {
  return sql`${otpChallenges.identifier} in (select value from users u, json_each(json_array(u.email, u.phone_number))
    where u.id = ${userId} and value is not null)`;
}

/**
 * Redeems the token if it is live and `condition` holds. It must be the first statement of the batch; the others depend
 * on `isUsedByThisInvocation`. If the sign-in's network requested the code, the code moves to the class of known
 * networks, as `trustNetwork` does with the other codes.
 *
 * @param network the network of the sign-in.
 */
export function redeemVerificationToken(
  deps: TokenDeps,
  redemption: RedemptionValues,
  network: Value<string>,
  condition: SQL,
) {
  return deps.db
    .update(otpChallenges)
    .set({
      usedBy: deps.invocationId,
      usedAt: deps.now(),
      usedFor: redemption.usedFor,
      sessionId: redemption.sessionId,
      networkClass: sql`case when ${otpChallenges.network} = ${network} then 'familiar' else ${otpChallenges.networkClass} end`,
    })
    .where(and(isVerifiedBy(redemption), hasLiveToken(deps), condition))
    .returning(tokenState);
}

/** This invocation redeemed the token. */
export function isUsedByThisInvocation(deps: TokenDeps, { cid }: Pick<RedemptionValues, "cid">): SQL {
  const used = deps.db
    .select({ one: sql`1` })
    .from(otpChallenges)
    .where(and(eq(otpChallenges.cid, cid), eq(otpChallenges.usedBy, deps.invocationId)));
  return sql`exists ${used}`;
}

/** Selects the token's state; no row if it was never issued or belongs to another identifier. */
export function findVerificationToken(deps: TokenDeps, redemption: Pick<RedemptionValues, "cid" | "identifier">) {
  return deps.db
    .select(tokenState)
    .from(otpChallenges)
    .where(and(isVerifiedBy(redemption), isNotNull(otpChallenges.consumedNetwork)));
}

/** Scalar subquery for the session that the token created; NULL if it created none. */
export function sessionOfToken({ cid, identifier }: Pick<RedemptionValues, "cid" | "identifier">): SQL<string | null> {
  return sql`(select session_id from otp_challenges where cid = ${cid} and identifier = ${identifier.value})`;
}

/** The row of `otp_challenges` is the token's and belongs to its identifier. */
function isVerifiedBy({ cid, identifier }: Pick<RedemptionValues, "cid" | "identifier">): SQL | undefined {
  return and(eq(otpChallenges.cid, cid), eq(otpChallenges.identifier, identifier.value));
}
