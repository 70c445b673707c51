import { statSync } from "node:fs";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Approximate duration of the longest files in seconds; others are estimated from their size. */
const KNOWN_SECONDS: Readonly<Record<string, number>> = {
  "tests/faults/faults.test.ts": 80,
  "tests/races/social-races.test.ts": 54,
  "tests/races/staff-races.test.ts": 39,
  "tests/races/races.test.ts": 36,
  "tests/staff/authorization-matrix.test.ts": 33,
  "tests/faults/kyc-crashes.test.ts": 30,
  "tests/growth/growth.test.ts": 25,
  "tests/faults/crashes.test.ts": 20,
  "tests/homes/homes.test.ts": 18,
  "tests/tasks/people.test.ts": 16,
  "tests/tasks/engine/job-ledger.test.ts": 14,
  "tests/staff/directory/search-property.test.ts": 14,
  "tests/delivery/sms-budget.test.ts": 13,
  "tests/auth/deletion/deletion-cost.test.ts": 13,
  "tests/staff/users/user-detail.test.ts": 12,
  "tests/delivery/provider-answers.test.ts": 11,
  "tests/tasks/job-costs.test.ts": 11,
  "tests/platform/data/publish-backlog.test.ts": 11,
  "tests/auth/deletion/account-deletion.test.ts": 10,
  "tests/auth/social/social-refusals.test.ts": 10,
  "tests/staff/access/staff-accounts.test.ts": 9,
  "tests/tasks/jobs.test.ts": 9,
  "tests/races/kyc-races.test.ts": 9,
  "tests/fuzz/operations.test.ts": 9,
  "tests/races/publish-races.test.ts": 8,
  "tests/auth/social/social-links.test.ts": 8,
  "tests/faults/social-crashes.test.ts": 8,
  "tests/tasks/send-kyc-verification-reminder.test.ts": 8,
  "tests/auth/deletion/freed-identity.test.ts": 8,
  "tests/models/kyc.test.ts": 8,
  "tests/auth/otp/email-limits.test.ts": 7,
  "tests/staff/budgets.test.ts": 7,
  "tests/users/kyc/kyc-files.test.ts": 7,
  "tests/auth/account/guarded-rules.test.ts": 7,
  "tests/delivery/direct.test.ts": 7,
  "tests/staff/directory/search.test.ts": 6,
  "tests/platform/http/text-fields.test.ts": 6,
  "tests/sessions/jwt-mutations.test.ts": 6,
  "tests/fuzz/oauth.test.ts": 6,
  "tests/auth/otp/ipv6-limits.test.ts": 6,
  "tests/tasks/webhooks.test.ts": 6,
  "tests/auth/social/social-single-use.test.ts": 6,
  "tests/auth/otp/otp-verify.test.ts": 6,
  "tests/auth/social/social-token.test.ts": 6,
  "tests/auth/social/social-browser.test.ts": 6,
  "tests/users/kyc/kyc-uploads.test.ts": 5,
  "tests/staff/deletion-restore.test.ts": 5,
  "tests/auth/otp/otp-locks.test.ts": 5,
  "tests/sessions/sessions.test.ts": 5,
  "tests/sessions/refresh.test.ts": 5,
  "tests/support/simulator/simulator.test.ts": 5,
  "tests/delivery/failover.test.ts": 5,
  "tests/staff/kyc-review/kyc-review.test.ts": 5,
  "tests/staff/directory/search-feed.test.ts": 5,
  "tests/models/identity.test.ts": 6,
  "tests/models/otp.test.ts": 5,
  "tests/platform/openapi/openapi.test.ts": 5,
  "tests/models/sessions.test.ts": 5,
  "tests/events/any-order.test.ts": 4,
  "tests/auth/deletion/former-identity.test.ts": 4,
  "tests/fuzz/headers.test.ts": 4,
  "tests/fuzz/routes.test.ts": 4,
  "tests/users/kyc/kyc-corpus.test.ts": 4,
  "tests/users/kyc/kyc.test.ts": 4,
  "tests/auth/account/sign-in-retries.test.ts": 4,
  "tests/users/usernames.test.ts": 3,
  "tests/auth/account/account.test.ts": 3,
  "tests/platform/data/outbox.test.ts": 3,
  "tests/platform/http/bodies.test.ts": 3,
};
const BYTES_A_SECOND = 4000;

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
