import { statSync } from "node:fs";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Approximate duration of the longest files in seconds; others are estimated from their size. */
const KNOWN_SECONDS: Readonly<Record<string, number>> = {
  "tests/faults/faults.test.ts": 82,
  "tests/races/staff-races.test.ts": 61,
  "tests/races/social-races.test.ts": 39,
  "tests/races/races.test.ts": 39,
  "tests/faults/kyc-crashes.test.ts": 23,
  "tests/staff/authorization-matrix.test.ts": 20,
  "tests/tasks/people.test.ts": 18,
  "tests/faults/crashes.test.ts": 16,
  "tests/staff/users/user-detail.test.ts": 13,
  "tests/staff/directory/search-property.test.ts": 11,
  "tests/delivery/sms-budget.test.ts": 10,
  "tests/auth/deletion/account-deletion.test.ts": 10,
  "tests/auth/deletion/deletion-cost.test.ts": 10,
  "tests/staff/access/staff-accounts.test.ts": 10,
  "tests/races/publish-races.test.ts": 9,
  "tests/auth/social/social-refusals.test.ts": 9,
  "tests/faults/social-crashes.test.ts": 9,
  "tests/tasks/kyc.test.ts": 8,
  "tests/users/kyc/kyc-files.test.ts": 8,
  "tests/tasks/webhooks.test.ts": 8,
  "tests/delivery/provider-answers.test.ts": 8,
  "tests/auth/social/social-token.test.ts": 8,
  "tests/fuzz/oauth.test.ts": 7,
  "tests/sessions/jwt-mutations.test.ts": 7,
  "tests/tasks/engine/job-ledger.test.ts": 7,
  "tests/fuzz/operations.test.ts": 7,
  "tests/platform/data/publish-backlog.test.ts": 6,
  "tests/tasks/job-costs.test.ts": 6,
  "tests/models/otp.test.ts": 6,
  "tests/auth/otp/otp-locks.test.ts": 6,
  "tests/sessions/sessions.test.ts": 6,
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
