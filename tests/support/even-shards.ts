import { statSync } from "node:fs";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Approximate duration of the longest files in seconds; others are estimated from their size. */
const KNOWN_SECONDS: Readonly<Record<string, number>> = {
  "tests/faults/faults.test.ts": 163,
  "tests/faults/kyc-crashes.test.ts": 38,
  "tests/auth/deletion/deletion-cost.test.ts": 36,
  "tests/delivery/sms-budget.test.ts": 35,
  "tests/races/identity-races.test.ts": 34,
  "tests/faults/crashes.test.ts": 29,
  "tests/staff/directory/search-property.test.ts": 27,
  "tests/staff/authorization-matrix.test.ts": 27,
  "tests/tasks/engine/job-ledger.test.ts": 26,
  "tests/races/staff-races.test.ts": 23,
  "tests/races/races.test.ts": 19,
  "tests/auth/social/social-refusals.test.ts": 19,
  "tests/staff/users/user-detail.test.ts": 19,
  "tests/races/kyc-races.test.ts": 17,
  "tests/races/publish-races.test.ts": 17,
  "tests/auth/deletion/account-deletion.test.ts": 17,
  "tests/models/sessions.test.ts": 16,
  "tests/tasks/jobs.test.ts": 16,
  "tests/users/kyc/kyc-files.test.ts": 15,
  "tests/races/social-races.test.ts": 15,
  "tests/tasks/people.test.ts": 13,
  "tests/sessions/jwt-mutations.test.ts": 13,
  "tests/tasks/webhooks.test.ts": 13,
  "tests/fuzz/oauth.test.ts": 13,
  "tests/tasks/job-costs.test.ts": 12,
  "tests/delivery/provider-answers.test.ts": 12,
  "tests/auth/social/social-token.test.ts": 11,
  "tests/budgets.test.ts": 10,
  "tests/races/staff-passkey-races.test.ts": 10,
  "tests/homes/homes.test.ts": 10,
  "tests/staff/deletion-restore.test.ts": 10,
  "tests/races/passkey-races.test.ts": 10,
  "tests/fuzz/operations.test.ts": 10,
  "tests/auth/social/social-browser.test.ts": 9,
  "tests/sessions/sessions.test.ts": 8,
  "tests/staff/recorded-views.test.ts": 8,
  "tests/platform/http/text-fields.test.ts": 8,
  "tests/models/kyc.test.ts": 8,
  "tests/auth/account/dormant-number.test.ts": 8,
  "tests/staff/directory/search.test.ts": 8,
  "tests/staff/budgets.test.ts": 8,
  "tests/support/simulator/simulator.test.ts": 8,
  "tests/staff/access/staff-accounts.test.ts": 8,
  "tests/auth/device/device.test.ts": 8,
  "tests/auth/otp/ipv6-limits.test.ts": 8,
  "tests/auth/otp/email-limits.test.ts": 8,
  "tests/auth/social/social-links.test.ts": 8,
  "tests/platform/openapi/openapi.test.ts": 7,
  "tests/events/any-order.test.ts": 7,
  "tests/fuzz/routes.test.ts": 7,
  "tests/platform/http/bodies.test.ts": 7,
  "tests/auth/otp/otp-locks.test.ts": 7,
  "tests/auth/otp/otp-verify.test.ts": 6,
  "tests/staff/directory/directory.test.ts": 6,
  "tests/faults/social-crashes.test.ts": 6,
  "tests/auth/identity/identity-undo.test.ts": 6,
  "tests/auth/account/account.test.ts": 6,
  "tests/staff/staff-passkeys.test.ts": 6,
  "tests/models/identity.test.ts": 6,
  "tests/auth/account/guarded-rules.test.ts": 6,
  "tests/auth/deletion/freed-identity.test.ts": 5,
  "tests/auth/proof/proof.test.ts": 5,
  "tests/sessions/refresh.test.ts": 5,
  "tests/models/otp.test.ts": 5,
  "tests/platform/http/multipart.test.ts": 5,
  "tests/users/kyc/kyc-uploads.test.ts": 5,
  "tests/staff/directory/search-feed.test.ts": 5,
  "tests/fuzz/headers.test.ts": 5,
  "tests/auth/social/apple-notifications.test.ts": 5,
  "tests/auth/identity/identity.test.ts": 5,
  "tests/platform/data/publish-backlog.test.ts": 4,
  "tests/staff/kyc-review/kyc-review.test.ts": 4,
  "tests/auth/passkey/passkey-login.test.ts": 4,
  "tests/auth/passkey/webauthn.test.ts": 4,
  "tests/sessions/tokens.test.ts": 4,
  "tests/auth/social/social-pages.test.ts": 4,
  "tests/auth/otp/otp-equal-answers.test.ts": 4,
  "tests/delivery/failover.test.ts": 4,
  "tests/auth/account/sign-in-retries.test.ts": 4,
  "tests/users/kyc/kyc.test.ts": 4,
  "tests/delivery/direct.test.ts": 4,
  "tests/auth/deletion/former-identity.test.ts": 4,
  "tests/users/notifications.test.ts": 4,
  "tests/races/apple-event-races.test.ts": 4,
};
const BYTES_A_SECOND = 6700;

/**
 * Distributes the files so that all shards take about equally long: the longest first, each to the shard with the least
 * so far.
 */
export class EvenShards extends BaseSequencer {
  override async shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { index, count } = this.ctx.config.shard ?? { index: 1, count: 1 };
    const shards = Array.from({ length: count }, () => ({ seconds: 0, files: [] as TestSpecification[] }));
    const weighed = files.map((file) => ({ file, seconds: secondsOf(file.moduleId) }));
    for (const { file, seconds } of weighed.sort((a, b) => b.seconds - a.seconds || compare(a.file, b.file))) {
      const least = shards.reduce((one, other) => (other.seconds < one.seconds ? other : one));
      least.seconds += seconds;
      least.files.push(file);
    }
    return shards[index - 1]?.files ?? [];
  }
}

function secondsOf(path: string): number {
  return KNOWN_SECONDS[relative(process.cwd(), path)] ?? statSync(path).size / BYTES_A_SECOND;
}

const compare = (a: TestSpecification, b: TestSpecification) => (a.moduleId < b.moduleId ? -1 : 1);
