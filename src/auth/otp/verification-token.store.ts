import { and, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { verificationTokens } from "../../db/sign-in-schema.ts";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import type { Identifier } from "../../users/identifier.ts";

type TokenDeps = Pick<BuilderDeps, "db" | "now" | "invocationId">;

/** The redemption of a verification token to open a session. */
export interface TokenRedemption {
  tokenHash: string;
  identifier: Identifier;
  usedFor: "REGISTER" | "LOGIN";
  sessionId: string;
}

/** A redemption, or placeholders for its values. */
export interface RedemptionValues {
  tokenHash: Value<string>;
  identifier: { kind: Identifier["kind"]; value: Value<string> };
  usedFor: TokenRedemption["usedFor"];
  sessionId: Value<string>;
}

/**
 * Redeems the token if it is live and `condition` holds. It must be the first statement of the batch; the others depend
 * on `isUsedByThisInvocation`.
 */
export function redeemVerificationToken(deps: TokenDeps, redemption: RedemptionValues, condition: SQL) {
  return deps.db
    .update(verificationTokens)
    .set({
      usedBy: deps.invocationId,
      usedAt: deps.now(),
      usedFor: redemption.usedFor,
      sessionId: redemption.sessionId,
    })
    .where(
      and(
        isToken(redemption),
        isNull(verificationTokens.usedBy),
        gt(verificationTokens.expiresAt, deps.now()),
        condition,
      ),
    )
    .returning();
}

/** This invocation redeemed the token. */
export function isUsedByThisInvocation(deps: TokenDeps, redemption: Pick<RedemptionValues, "tokenHash">): SQL {
  const used = deps.db
    .select({ one: sql`1` })
    .from(verificationTokens)
    .where(
      and(eq(verificationTokens.tokenHash, redemption.tokenHash), eq(verificationTokens.usedBy, deps.invocationId)),
    );
  return sql`exists ${used}`;
}

/** Selects the token; no row if it was never issued or belongs to another identifier. */
export function findVerificationToken(deps: TokenDeps, redemption: Pick<TokenRedemption, "tokenHash" | "identifier">) {
  return deps.db.select().from(verificationTokens).where(isToken(redemption));
}

function isToken({ tokenHash, identifier }: Pick<RedemptionValues, "tokenHash" | "identifier">): SQL | undefined {
  return and(eq(verificationTokens.tokenHash, tokenHash), eq(verificationTokens.identifier, identifier.value));
}
