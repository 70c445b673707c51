/** A table whose rows move with their user. */
export interface MovedTable {
  name: string;
  /** Which rows are the user's. `?1` is the user's id, `?2` a JSON array of it and the user's identifiers. */
  which: string;
}

const OWN = "user_id = ?1";
const BY_IDENTIFIER = "identifier in (select value from json_each(?2))";
const OF_OWN_SESSION = "session_id in (select id from sessions where user_id = ?1)";

/**
 * Tables that move, in the order in which they are copied; they are deleted in the reverse order. Notifications come
 * before their user, because their trigger counts them in the row of the user, which brings its own count.
 */
export const movedTables: readonly MovedTable[] = [
  { name: "notifications", which: OWN },
  { name: "users", which: "id = ?1" },
  ...[
    ...["profiles", "device_registrations", "devices", "passkeys", "identity_changes", "social_accounts"],
    ...["kyc", "kyc_documents", "kyc_uploads", "sessions", "audit_logs", "dead_letters"],
    ...["wallets", "points", "point_transactions", "wallet_transactions", "rentals", "favorite_stations"],
    ...["user_statistics", "analytics_reports"],
  ].map((name) => ({ name, which: OWN })),
  { name: "kyc_document_views", which: "document_id in (select id from kyc_documents where user_id = ?1)" },
  { name: "referrals", which: "invitee_id = ?1" },
  ...["otp_challenges", "otp_network_guards", "otp_class_guards", "familiar_networks"].map((name) => ({
    name,
    which: BY_IDENTIFIER,
  })),
  { name: "local_outbox", which: "recipient in (select value from json_each(?2))" },
  {
    name: "idempotency_keys",
    which: `result_id in (select id from sessions where user_id = ?1
      union all select id from kyc where user_id = ?1
      union all select cid from otp_challenges where ${BY_IDENTIFIER})`,
  },
  { name: "passkey_uses", which: OF_OWN_SESSION },
  { name: "social_proofs", which: OF_OWN_SESSION },
];

/** Tables that stay where they are, each with its reason. */
export const stayingTables: Readonly<Record<string, string>> = {
  outbox: "the tick of its home sends what waits, and consumers look up the user's home then",
  processed_events: "has no user: effects of platform events are also recognised by their content",
  deliveries: "has no user: a copy of a message that is delivered after the move may be one more",
  social_states: "has no user yet: sign-ins in progress, for minutes",
  former_identities: "of the directory, with everything that is unique over all homes",
  network_guess_limits: "of a network, not of a user",
  sms_send_limits: "of a network, not of a user",
  sms_budget_days: "of a home",
  email_budget_days: "of a home",
  provider_breakers: "of a home",
  user_counts: "of a home, kept by triggers",
  daily_counts: "of a home",
  job_runs: "of a home",
  job_cursors: "of a home",
  job_failures: "of a home",
};
