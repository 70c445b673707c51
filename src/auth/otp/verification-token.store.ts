import { and, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { verificationTokens } from "../../db/sign-in-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";

type TokenDeps = Pick<Deps, "db" | "now" | "invocationId">;

/** The redemption of a verification token to open a session. */
export interface TokenRedemption {
  tokenHash: string;
  identifier: Identifier;
  usedFor: "REGISTER" | "LOGIN";
  sessionId: string;
}

/**
 * Redeems the token if it is live and `condition` holds. It must be the first statement of the batch; the others depend
 * on `isUsedByThisInvocation`.
 */
export function redeemVerificationToken(deps: TokenDeps, redemption: TokenRedemption, condition: SQL) {
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
    );
}

/** This invocation redeemed the token. */
export function isUsedByThisInvocation(deps: TokenDeps, redemption: TokenRedemption): SQL {
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

function isToken({ tokenHash, identifier }: Pick<TokenRedemption, "tokenHash" | "identifier">): SQL | undefined {
  return and(eq(verificationTokens.tokenHash, tokenHash), eq(verificationTokens.identifier, identifier.value));
}
