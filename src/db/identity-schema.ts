import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { PROOF_METHODS } from "./sign-in-schema.ts";
import { userId } from "./user-schema.ts";

/** Passkeys of users: discoverable WebAuthn credentials. */
export const passkeys = sqliteTable(
  "passkeys",
  {
    id: text("id").primaryKey(),
    userId: userId(),
    /** Credential id that the authenticator chose, base64url. */
    credentialId: text("credential_id").notNull(),
    /** COSE public key, base64url. */
    publicKey: text("public_key").notNull(),
    /** Signature counter; 0 for a passkey that does not count. */
    counter: integer("counter").notNull(),
    /** Model of the authenticator, as a UUID. */
    aaguid: text("aaguid").notNull(),
    /** The passkey may be copied to the person's other devices. Never changes (WebAuthn Level 3 section 6.1.3). */
    isBackupEligible: flag("is_backup_eligible").notNull(),
    /** The passkey was copied when it was last used. */
    isSynced: flag("is_synced").notNull(),
    /** How the authenticator can be reached, as a JSON array, for `excludeCredentials`. */
    transports: text("transports", { mode: "json" }).$type<string[]>(),
    name: text("name"),
    createdAt: instant("created_at").notNull(),
    lastUsedAt: instant("last_used_at"),
    /** When the owner was last told that the counter of the passkey did not grow; null if never. */
    suspectedAt: instant("suspected_at"),
    /** Invocation that recorded it. */
    suspectedBy: text("suspected_by"),
  },
  (table) => [
    uniqueIndex("passkeys_credential").on(table.credentialId),
    index("passkeys_user").on(table.userId, table.createdAt),
  ],
);

/** Passkey challenges that were used; each can be used once. An unused challenge has no row. */
export const passkeyUses = sqliteTable("passkey_uses", {
  /** The challenge, base64url. */
  challenge: text("challenge").primaryKey(),
  usedFor: text("used_for", { enum: ["LOGIN", "CONSOLE", "REGISTER", "PROOF"] }).notNull(),
  usedBy: text("used_by").notNull(),
  usedAt: instant("used_at").notNull(),
  /** Session that the use opened, or that it proved. */
  sessionId: text("session_id"),
});

/**
 * Changes that users made to their own identifiers, kept for the 7 days in which they can be undone, and phone numbers
 * taken off dormant accounts. During this time nobody else can take a verified identifier that its user replaced or
 * removed.
 */
export const identityChanges = sqliteTable(
  "identity_changes",
  {
    /** A UUIDv7, so that the changes since a time are a range of the key. */
    id: text("id").primaryKey(),
    userId: userId(),
    /** Place among the changes of the account, in the order of their commits; ids follow the order of the calls. */
    number: integer("number").notNull(),
    kind: text("kind", { enum: ["email", "phone"] }).notNull(),
    /** The identifier that was replaced or removed, if it was verified. */
    oldIdentifier: text("old_identifier"),
    /** The identifier that was set; null if one was removed. */
    newIdentifier: text("new_identifier"),
    /** How the session that made the change was proved. */
    provedBy: text("proved_by", { enum: PROOF_METHODS }).notNull(),
    /** The session was proved by the very identifier that the change took away. */
    isProvedByOld: flag("is_proved_by_old").notNull(),
    createdAt: instant("created_at").notNull(),
    /**
     * Null while the change can be undone. RESTORED: it was undone. HELD: it was disputed, and the account waits for
     * staff. DECIDED: staff have changed the identifiers since. RELEASED: the account was dormant, and its number has a
     * new owner.
     */
    outcome: text("outcome", { enum: ["RESTORED", "HELD", "DECIDED", "RELEASED"] }),
    /** Invocation that set the outcome. */
    settledBy: text("settled_by"),
    settledAt: instant("settled_at"),
  },
  (table) => [
    index("identity_changes_user").on(table.userId, table.number),
    index("identity_changes_old").on(table.oldIdentifier, table.number).where(sql`old_identifier is not null`),
  ],
);
