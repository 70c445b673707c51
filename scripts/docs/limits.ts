import { registrationLimit } from "../../src/auth/device/device.store.ts";
import { exportsPerDay } from "../../src/auth/export/export-limits.ts";
import { changesPerDay } from "../../src/auth/identity/identity-limits.ts";
import { otpLimits } from "../../src/auth/otp/otp-limits.ts";
import { passkeyAddsPerDay } from "../../src/auth/passkey/passkey-rules.store.ts";
import { auditedWritesPerDay } from "../../src/platform/data/audited-writes.ts";
import type { RateLimitPolicy } from "../../src/platform/http/rate-limit.ts";
import { writesPerMinute } from "../../src/platform/http/write-limit.ts";
import { replayLimit } from "../../src/sessions/refresh.store.ts";
import { STAFF_VIEWS_PER_HOUR } from "../../src/sessions/staff-view-settings.ts";
import { STAFF_VIEWS_WINDOW_MS } from "../../src/sessions/staff-views.store.ts";
import { startedUploadLimit, uploadLimit } from "../../src/users/kyc/kyc-upload.store.ts";
import { code, table } from "./markdown.ts";

interface Limit extends RateLimitPolicy {
  /** What is counted, and by what. */
  counts: string;
  /** What the caller must do once it is reached. */
  then: string;
}

const { send, lock, attemptsPerNetwork, requestedCodesPerNetwork, attemptsPerCode, ttlMs } = otpLimits;
const WAIT_FOR_OLDEST = "wait until the oldest one is older than the window";
const WAIT_FOR_WINDOW = "wait until the window ends";
const limit = ({ count, windowMs }: RateLimitPolicy, counts: string, then: string): Limit => ({
  count,
  windowMs,
  counts,
  then,
});

/** Every limit, with the numbers that the code runs with. */
const limits: Readonly<Record<string, Limit>> = {
  "otp.attempts": limit(
    { count: attemptsPerCode, windowMs: ttlMs },
    "wrong attempts at one code, per network class",
    "the code is invalid; request a new one",
  ),
  "otp.send.network": limit(send.perNetwork, "codes for one identifier from one network", WAIT_FOR_OLDEST),
  "otp.send.class": limit(send.perClass, "codes for one identifier in one network class", WAIT_FOR_OLDEST),
  "otp.send.day": limit(send.perClassDaily, "codes for one identifier in one network class", WAIT_FOR_OLDEST),
  "otp.sms.network": limit(
    send.perSmsNetwork,
    "codes by SMS from one network to any number; a known network is counted but never refused",
    WAIT_FOR_WINDOW,
  ),
  "otp.email.network": limit(
    send.perEmailNetwork,
    "codes by e-mail from one network to any address; a known network is counted but never refused",
    WAIT_FOR_WINDOW,
  ),
  "otp.email.mailbox": limit(send.perClass, "codes for one mailbox in one network class", WAIT_FOR_OLDEST),
  "otp.email.mailbox.day": limit(send.perClassDaily, "codes for one mailbox in one network class", WAIT_FOR_OLDEST),
  "otp.sms.prefix": limit(
    send.perSmsPrefix,
    `codes by SMS to numbers that differ only in their last ${send.perSmsPrefix.hiddenDigits} digits; a known network is counted but never refused`,
    WAIT_FOR_WINDOW,
  ),
  "otp.lock.network": limit(
    lock.perNetwork,
    "failed attempts at one identifier from one network",
    "locked for 1, 2, 4 … 60 minutes",
  ),
  "otp.lock.class": limit(
    lock.perClass,
    "failed attempts at one identifier in one network class",
    "locked for an hour",
  ),
  "otp.lock.hard": limit(
    { count: lock.hardLockoutAfter, windowMs: lock.resetAfterMs },
    "consecutive failed attempts at one identifier in one network class",
    "locked until a success in the other class, a sign-in through Google or Apple or with a passkey, an unlock by staff, or 7 days without an attempt",
  ),
  "otp.attempts.network": limit(
    attemptsPerNetwork,
    "wrong attempts from one network at any identifier",
    WAIT_FOR_WINDOW,
  ),
  "otp.attempts.own": limit(
    requestedCodesPerNetwork,
    "codes requested from this network at which it may make attempts after `otp.attempts.network` is reached",
    WAIT_FOR_WINDOW,
  ),
  "refresh.replays": limit(
    replayLimit,
    "replays of one refresh",
    "refresh with the newest token; after the replay window this one counts as reused and ends the session",
  ),
  "kyc.uploads": limit(uploadLimit, "uploads of one user, including refused ones", WAIT_FOR_OLDEST),
  "kyc.started": limit(
    startedUploadLimit,
    "started uploads of one user, including interrupted and failed ones",
    WAIT_FOR_OLDEST,
  ),
  "writes.minute": limit(
    writesPerMinute,
    "writes of one user; counted by Cloudflare's limiter, approximately and per location",
    "wait up to a minute",
  ),
  "passkey.adds": limit(passkeyAddsPerDay, "passkeys added by a user", WAIT_FOR_OLDEST),
  "writes.audited": limit(auditedWritesPerDay, "changes of a user to their own data", WAIT_FOR_OLDEST),
  "identity.changes": limit(changesPerDay, "changes of a user's own identifiers", WAIT_FOR_OLDEST),
  "export.requests": limit(
    exportsPerDay,
    "exports of a user's own data; further pages are not counted",
    WAIT_FOR_OLDEST,
  ),
  "staff.views": limit(
    { count: STAFF_VIEWS_PER_HOUR, windowMs: STAFF_VIEWS_WINDOW_MS },
    "persons, KYC cases, fields and files that one member of staff sees; STAFF_VIEWS_PER_HOUR sets another number",
    WAIT_FOR_OLDEST,
  ),
  "devices.registrations": limit(
    registrationLimit,
    "device registrations of one user, including repeated ones",
    WAIT_FOR_WINDOW,
  ),
};

export const limitTable = () =>
  table(
    ["Limit", "Count", "Window (s)", "What is counted", "When it is reached"],
    Object.entries(limits).map(([name, { count, windowMs, counts, then }]) => [
      code(name),
      count,
      windowMs / 1000,
      counts,
      then,
    ]),
  );
