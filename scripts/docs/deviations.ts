/** Where a security requirement is met in part or in another way, and why. `tests/security-rows.ts` refers to the names. */
export const deviations = {
  "one-factor":
    "A one-time code alone is one factor. A code sent by e-mail proves an address and not a device (NIST SP 800-63B-4 section 3.1.3.1).",
  "restricted-sms":
    "SMS is a restricted authenticator (NIST SP 800-63B-4 sections 3.1.3.3 and 3.2.9). Google and Apple are offered beside it.",
  "shared-network":
    "Somebody who shares a network with the owner of an identifier shares the owner's network class, and can tell from the limits on sending that somebody signed in from there. This is the price of limits that strangers cannot use up.",
  "known-idempotency-key":
    "Somebody who knows another person's `Idempotency-Key` at otp/verify has five guesses at the code behind it, as at any code.",
  "replay-window":
    "Within 120 seconds of a rotation the parent refresh token still gives its successor, so a thief of the parent can follow the owner for that long. Clients that lose an answer need the window.",
  "https-by-worker":
    "The Worker itself refuses plain http with 403 and sends HSTS; no redirect of the zone is used, because clients would send tokens in the clear first.",
  "log-export":
    "Logs are JSON lines of the platform without tokens, codes or identifiers. Sending them to a separate system is configured in Cloudflare (Logpush) and not in this repository.",
  "emergency-sign-out":
    "To end every session at once, replace TOKEN_SECRETS and ACCESS_TOKEN_KEYS together; the next call of each client is 401.",
} as const;

export type Deviation = keyof typeof deviations;

export const deviationList = (): string[] => Object.entries(deviations).map(([name, text]) => `- **${name}**: ${text}`);
