/** Security requirements that are met partly or differently, and why. `tests/security-rows.ts` refers to the names. */
export const deviations = {
  "one-factor":
    "A one-time code alone is one factor. A code sent by e-mail proves an address and not a device (NIST SP 800-63B-4 section 3.1.3.1).",
  "restricted-sms":
    "SMS is a restricted authenticator (NIST SP 800-63B-4 sections 3.1.3.3 and 3.2.9). Google and Apple are offered as alternatives.",
  "shared-network":
    "A person who shares a network with the owner of an identifier also shares the owner's network class, and can tell from the limits on sending that the owner signed in from there. In return, strangers cannot use up the owner's limits.",
  "known-idempotency-key":
    "A caller who knows another person's `Idempotency-Key` for otp/verify has five attempts at its code, as for any code.",
  "replay-window":
    "Within 120 seconds of a rotation, the previous refresh token still returns its successor, so a thief of the previous token can use the session during that time. Clients that lose a response need this window.",
  "proof-keeps-session":
    "A proof of a session (`POST /api/auth/proof`) raises only the time until which that session may make sensitive changes; it issues no new session token (ASVS 7.2.4). Session ids are never chosen by the caller.",
  "https-by-worker":
    "The Worker itself refuses plain http with 403 and sends HSTS. The zone does not redirect, because clients would then send tokens unencrypted first.",
  "log-export":
    "Logs are JSON lines in Cloudflare, without tokens, codes or identifiers. Sending them to a separate system is configured in Cloudflare (Logpush) and not in this repository.",
  "emergency-sign-out":
    "To end every session at once, replace TOKEN_SECRETS and ACCESS_TOKEN_KEYS together; the next call of each client then gets 401.",
} as const;

export type Deviation = keyof typeof deviations;

export const deviationList = (): string[] => Object.entries(deviations).map(([name, text]) => `- **${name}**: ${text}`);
