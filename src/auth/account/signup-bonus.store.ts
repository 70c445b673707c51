import { type SQL, sql } from "drizzle-orm";
import { OWN_SOURCE, points, pointTransactions } from "../../db/ledger-schema.ts";
import { insertWhere } from "../../platform/data/database.ts";
import type { BuilderDeps, StatementDeps, Value } from "../../platform/data/prepared.ts";
import { isFormerIdentity } from "../deletion/former-identity.store.ts";

/** Points granted to every new user once. */
const SIGNUP_BONUS = 50;

/**
 * Enters the signup bonus into the ledger once per user, if `condition` holds. `isEntered` tells later statements of
 * the batch whether it was entered.
 *
 * @param identities as `isFormerIdentity` takes them; nothing is entered if one has left an account.
 */
export function enterSignupBonus(
  deps: Pick<BuilderDeps, "db" | "now" | "newId">,
  userId: Value<string>,
  identities: Value<readonly string[]>,
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
export function insertPoints(
  deps: Pick<BuilderDeps, "db" | "now">,
  userId: Value<string>,
  hasBonus: SQL,
  condition: SQL,
) {
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
