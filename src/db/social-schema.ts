import { index, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { userId } from "./user-schema.ts";

/** A person's account at a provider, and the user who signs in by it. */
export const socialAccounts = sqliteTable(
  "social_accounts",
  {
    /** OpenID Connect Core 1.0 section 2: issuer and subject together name a person for good. */
    issuer: text("issuer").notNull(),
    subject: text("subject").notNull(),
    provider: text("provider", { enum: ["GOOGLE", "APPLE"] }).notNull(),
    userId: userId(),
    /** As the provider asserts it, with authority or without. */
    email: text("email"),
    /** Apple's refresh token for its revocation, AES-GCM under `sealKeyId`; null where there is none. */
    sealedRefreshToken: text("sealed_refresh_token"),
    sealKeyId: text("seal_key_id"),
    /** The client that the refresh token belongs to. */
    clientId: text("client_id"),
    /** Attempt id of the link, so that its invocation knows it as its own. */
    linkedBy: text("linked_by").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.issuer, table.subject] }),
    uniqueIndex("social_accounts_user").on(table.userId, table.provider),
  ],
);

/** States of browser flows that a callback has consumed: each once. */
export const socialStates = sqliteTable(
  "social_states",
  { stateHash: text("state_hash").primaryKey(), expiresAt: instant("expires_at").notNull() },
  (table) => [index("social_states_expiry").on(table.expiresAt)],
);

/** What a sign-in by a provider is traded for a session with: a one-time code, or an ID token. */
export const socialProofs = sqliteTable(
  "social_proofs",
  {
    /** SHA-256 of the code or token. */
    proofHash: text("proof_hash").primaryKey(),
    /** A code's identity, sealed; null for an ID token, which carries its own. */
    sealedIdentity: text("sealed_identity"),
    /** SHA-256 of the flow's secret, which its cookie holds. */
    flowHash: text("flow_hash"),
    /** RFC 7636, S256; what a POST must prove. */
    codeChallenge: text("code_challenge"),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    usedBy: text("used_by"),
    usedAt: instant("used_at"),
    /** A wrong proof was shown: the code is dead. */
    isBurned: flag("is_burned").notNull(),
    /** The session that the use made. */
    sessionId: text("session_id"),
  },
  (table) => [index("social_proofs_expiry").on(table.expiresAt)],
);
