import { type SQL, sql } from "drizzle-orm";
import { formerIdentities, otpChallenges, otpClassGuards, otpNetworkGuards } from "../../db/sign-in-schema.ts";
import { insertFrom, instantOf } from "../../platform/data/database.ts";
import { jsonOf, type Value } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";

/**
 * Records identities that leave an account: verified identifiers and provider accounts that are removed, replaced or
 * deleted with it. A later registration with one of them, by the same person or another, earns neither signup bonus nor
 * referral reward. An identifier that was never verified is not recorded, because staff may have mistyped it.
 *
 * @param hash the column or expression with the hash by `hashIdentifier` or `hashProviderAccount`.
 * @param from FROM and WHERE clause of the identities, which must still belong to the account.
 */
export function recordFormerIdentities(deps: Pick<Deps, "db" | "now">, hash: SQL, from: SQL) {
  const row = { identityHash: hash, createdAt: instantOf(deps.now()) };
  return insertFrom(deps, formerIdentities, row, from).onConflictDoNothing();
}

/** One of the identities, as hashed by `hashIdentifier` and `hashProviderAccount`, has left an account. */
export function isFormerIdentity(hashes: Value<readonly string[]>): SQL {
  return sql`exists (select 1 from former_identities
    where identity_hash in (select value from json_each(${jsonOf(hashes)})))`;
}

/** An identifier and its hash by `hashForOtpLimits`. */
export interface HashedIdentifier {
  identifier: string;
  hash: string;
}

/** An identifier of an account to delete. `mailbox`: hash of an e-mail address's mailbox; null for a phone number. */
export type LeavingIdentifier = HashedIdentifier & { mailbox: string | null };

type LimitDeps = Pick<Deps, "db" | "now" | "invocationId">;

/**
 * Moves sends, failures and locks of the identifiers to their hashes, and ends their codes and verification tokens, if
 * `condition` holds. All rows move to the class of unknown networks, because the identifier has no known networks left.
 */
export function keepOtpLimits(deps: LimitDeps, identifiers: readonly LeavingIdentifier[], condition: SQL) {
  const now = instantOf(deps.now());
  const former = sql`json_each(${JSON.stringify(identifiers)}) former`;
  const [identifier, hash] = [sql.raw("former.value ->> 'identifier'"), sql.raw("former.value ->> 'hash'")];
  const isMoved = sql`identifier in (select ${identifier} from ${former}) and ${condition}`;
  const network = otpNetworkGuards;
  const ofClass = otpClassGuards;
  const ofIdentifier = sql.raw("otp_class_guards g");
  const greatest = (column: string) =>
    sql`(select max(${sql.raw(`g.${column}`)}) from ${ofIdentifier} where g.identifier = ${identifier})`;
  return {
    keptSends: deps.db
      .update(otpChallenges)
      .set({
        identifier: sql`(select ${hash} from ${former} where ${identifier} = ${otpChallenges.identifier})`,
        // The limits of its mailbox no longer find the code by its identifier.
        mailbox: sql`coalesce(${otpChallenges.mailbox}, (select former.value ->> 'mailbox' from ${former}
          where ${identifier} = ${otpChallenges.identifier}))`,
        networkClass: "other",
        codeHash: "",
        sealedCode: null,
        expiresAt: sql`min(${otpChallenges.expiresAt}, ${now})`,
        consumedBy: sql`coalesce(${otpChallenges.consumedBy}, ${deps.invocationId})`,
        consumedAt: sql`coalesce(${otpChallenges.consumedAt}, ${now})`,
        consumedNetwork: null,
        sessionId: null,
      })
      .where(isMoved),
    keptNetworkLocks: insertFrom(
      deps,
      network,
      {
        identifier: hash,
        network: sql`g.network`,
        failures: sql`g.failures`,
        lockCount: sql`g.lock_count`,
        lockedUntil: sql`g.locked_until`,
        lastGuessAt: sql`g.last_guess_at`,
      },
      sql`from ${former} cross join otp_network_guards g where g.identifier = ${identifier} and ${condition}`,
    ).onConflictDoUpdate({
      target: [network.identifier, network.network],
      set: {
        failures: sql`excluded.failures`,
        lockCount: sql`max(${network.lockCount}, excluded.lock_count)`,
        lockedUntil: sql`max(${network.lockedUntil}, excluded.locked_until)`,
        lastGuessAt: sql`max(${network.lastGuessAt}, excluded.last_guess_at)`,
      },
    }),
    movedNetworkLocks: deps.db.delete(network).where(isMoved),
    keptClassLocks: insertFrom(
      deps,
      ofClass,
      {
        identifier: hash,
        networkClass: "other",
        failures: sql`(select json_group_array(e.value) from ${ofIdentifier}, json_each(g.failures) e
          where g.identifier = ${identifier})`,
        streak: greatest("streak"),
        lockedUntil: greatest("locked_until"),
        lastGuessAt: greatest("last_guess_at"),
      },
      sql`from ${former} where exists (select 1 from ${ofIdentifier} where g.identifier = ${identifier}) and ${condition}`,
    ).onConflictDoUpdate({
      target: [ofClass.identifier, ofClass.networkClass],
      set: {
        failures: sql`excluded.failures`,
        streak: sql`max(${ofClass.streak}, excluded.streak)`,
        lockedUntil: sql`max(${ofClass.lockedUntil}, excluded.locked_until)`,
        lastGuessAt: sql`max(${ofClass.lastGuessAt}, excluded.last_guess_at)`,
      },
    }),
    movedClassLocks: deps.db.delete(ofClass).where(isMoved),
  };
}

/**
 * Moves the rows that `keepOtpLimits` kept back to the identifier, before its limits are checked. For an identifier
 * whose user was never deleted the statements match no row.
 */
export function restoreOtpLimits(
  deps: Pick<Deps, "db">,
  { identifier, hash }: { [K in keyof HashedIdentifier]: Value<string> },
) {
  const hasNoRow = (table: string, key: string) =>
    sql
      .raw(`not exists (select 1 from ${table} own where own.identifier = `)
      .append(sql`${identifier} and ${sql.raw(`own.${key} = ${table}.${key}`)})`);
  return {
    sendsBack: deps.db.update(otpChallenges).set({ identifier }).where(sql`identifier = ${hash}`),
    networkLocksBack: deps.db
      .update(otpNetworkGuards)
      .set({ identifier })
      .where(sql`identifier = ${hash} and ${hasNoRow("otp_network_guards", "network")}`),
    classLocksBack: deps.db
      .update(otpClassGuards)
      .set({ identifier })
      .where(sql`identifier = ${hash} and ${hasNoRow("otp_class_guards", "network_class")}`),
  };
}
