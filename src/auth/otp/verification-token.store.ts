import { and, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { verificationTokens } from "../../db/sign-in-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";

type TokenDeps = Pick<Deps, "db" | "now" | "attemptId">;

export interface TokenUse {
  tokenHash: string;
  identifier: Identifier;
  usedFor: "REGISTER" | "LOGIN";
  sessionId: string;
}

/** The statement that uses the token up where `condition` holds: first of the batch of its effect, which asks for `isUsedHere`. */
export function useVerificationToken(deps: TokenDeps, use: TokenUse, condition: SQL) {
  return deps.db
    .update(verificationTokens)
    .set({ usedBy: deps.attemptId, usedAt: deps.now(), usedFor: use.usedFor, sessionId: use.sessionId })
    .where(and(isOf(use), isNull(verificationTokens.usedBy), gt(verificationTokens.expiresAt, deps.now()), condition));
}

/** Holds where this very invocation used the token. */
export function isUsedHere(deps: TokenDeps, use: TokenUse): SQL {
  const used = deps.db
    .select({ one: sql`1` })
    .from(verificationTokens)
    .where(and(eq(verificationTokens.tokenHash, use.tokenHash), eq(verificationTokens.usedBy, deps.attemptId)));
  return sql`exists ${used}`;
}

/** The statement that reads the token as the batch left it; no row where it never was, or was another identifier's. */
export function findVerificationToken(deps: TokenDeps, use: Pick<TokenUse, "tokenHash" | "identifier">) {
  return deps.db.select().from(verificationTokens).where(isOf(use));
}

function isOf({ tokenHash, identifier }: Pick<TokenUse, "tokenHash" | "identifier">): SQL | undefined {
  return and(eq(verificationTokens.tokenHash, tokenHash), eq(verificationTokens.identifier, identifier.value));
}
