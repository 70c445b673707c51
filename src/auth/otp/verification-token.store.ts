import { and, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { verificationTokens } from "../../db/sign-in-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";

type TokenDeps = Pick<Deps, "db" | "now" | "invocationId">;

export interface TokenRedemption {
  tokenHash: string;
  identifier: Identifier;
  usedFor: "REGISTER" | "LOGIN";
  sessionId: string;
}

/** The statement that uses the token up where `condition` holds: first of the batch of its effect, which asks for `isUsedByThisInvocation`. */
export function redeemVerificationToken(deps: TokenDeps, use: TokenRedemption, condition: SQL) {
  return deps.db
    .update(verificationTokens)
    .set({ usedBy: deps.invocationId, usedAt: deps.now(), usedFor: use.usedFor, sessionId: use.sessionId })
    .where(and(isOf(use), isNull(verificationTokens.usedBy), gt(verificationTokens.expiresAt, deps.now()), condition));
}

/** Holds where this very invocation used the token. */
export function isUsedByThisInvocation(deps: TokenDeps, use: TokenRedemption): SQL {
  const used = deps.db
    .select({ one: sql`1` })
    .from(verificationTokens)
    .where(and(eq(verificationTokens.tokenHash, use.tokenHash), eq(verificationTokens.usedBy, deps.invocationId)));
  return sql`exists ${used}`;
}

/** The statement that reads the token as the batch left it; no row where it never was, or was another identifier's. */
export function findVerificationToken(deps: TokenDeps, use: Pick<TokenRedemption, "tokenHash" | "identifier">) {
  return deps.db.select().from(verificationTokens).where(isOf(use));
}

function isOf({ tokenHash, identifier }: Pick<TokenRedemption, "tokenHash" | "identifier">): SQL | undefined {
  return and(eq(verificationTokens.tokenHash, tokenHash), eq(verificationTokens.identifier, identifier.value));
}
