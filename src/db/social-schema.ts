import { primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { userId } from "./user-schema.ts";

/** Provider accounts and the users who sign in with them. */
export const socialAccounts = sqliteTable(
  "social_accounts",
  {
    /** Issuer and subject together identify an account permanently (OpenID Connect Core 1.0 section 2). */
    issuer: text("issuer").notNull(),
    subject: text("subject").notNull(),
    provider: text("provider", { enum: ["GOOGLE", "APPLE"] }).notNull(),
    userId: userId(),
    /** As `hashProviderAccount`; when the link ends, it is copied to `former_identities`. */
    identityHash: text("identity_hash").notNull(),
    /** As reported by the provider, whether or not the provider is authoritative for it. */
    email: text("email"),
    /** Apple's refresh token, kept for its revocation: AES-GCM under `sealKeyId`; null if there is none. */
    sealedRefreshToken: text("sealed_refresh_token"),
    sealKeyId: text("seal_key_id"),
    /** Client id that the refresh token was issued to. */
    clientId: text("client_id"),
    /** Invocation that created the link; lets it recognise its own write after a lost answer. */
    linkedBy: text("linked_by").notNull(),
    createdAt: instant("created_at").notNull(),
    /** When the person withdrew their consent at the provider; the link signs nobody in until they give it again. */
    revokedAt: instant("revoked_at"),
    /** Since when the provider forwards no e-mail to the relay address; null while it does. */
    mailStoppedAt: instant("mail_stopped_at"),
    /** Time of the provider's latest event about its mail; earlier ones change nothing. Null if there was none. */
    mailEventAt: instant("mail_event_at"),
    /** When consent was last withdrawn or given again; null if never. Earlier withdrawals change nothing. */
    consentEventAt: instant("consent_event_at"),
  },
  (table) => [
    primaryKey({ columns: [table.issuer, table.subject] }),
    uniqueIndex("social_accounts_user").on(table.userId, table.provider),
  ],
);

/** States of browser flows that a callback has consumed; each can be used once. */
export const socialStates = sqliteTable("social_states", {
  stateHash: text("state_hash").primaryKey(),
  expiresAt: instant("expires_at").notNull(),
});

/** Single-use credentials of a provider sign-in that are exchanged for a session: a one-time code or an ID token. */
export const socialProofs = sqliteTable("social_proofs", {
  /** SHA-256 of the code or token. */
  proofHash: text("proof_hash").primaryKey(),
  /** Encrypted identity behind a code; null for an ID token, which carries its own. */
  sealedIdentity: text("sealed_identity"),
  /** SHA-256 of the flow's secret, which is stored in its cookie. */
  flowHash: text("flow_hash"),
  /** PKCE challenge (RFC 7636, S256) that the POST must satisfy. */
  codeChallenge: text("code_challenge"),
  createdAt: instant("created_at").notNull(),
  expiresAt: instant("expires_at").notNull(),
  usedBy: text("used_by"),
  usedAt: instant("used_at"),
  /** Set after a wrong verifier was presented; the code is invalid from then on. */
  isBurned: flag("is_burned").notNull(),
  /** Session that the credential created. */
  sessionId: text("session_id"),
});
