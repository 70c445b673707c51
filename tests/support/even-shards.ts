import { statSync } from "node:fs";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Approximate duration of the longest files in seconds; others are estimated from their size. */
const KNOWN_SECONDS: Readonly<Record<string, number>> = {
  "tests/races/staff-races.test.ts": 151,
  "tests/races/races.test.ts": 67,
  "tests/faults/faults.test.ts": 59,
  "tests/races/social-races.test.ts": 44,
  "tests/faults/crashes.test.ts": 43,
  "tests/faults/social-crashes.test.ts": 33,
  "tests/faults/kyc-crashes.test.ts": 26,
  "tests/tasks/people.test.ts": 23,
  "tests/auth/otp-locks.test.ts": 22,
  "tests/auth/account-deletion.test.ts": 19,
  "tests/races/kyc-races.test.ts": 18,
  "tests/models/otp.test.ts": 18,
  "tests/staff/search-property.test.ts": 16,
  "tests/staff/authorization-matrix.test.ts": 15,
  "tests/staff/person.test.ts": 15,
  "tests/delivery/sms-budget.test.ts": 14,
  "tests/auth/sign-in-retries.test.ts": 13,
  "tests/fuzz/operations.test.ts": 10,
  "tests/auth/device.test.ts": 10,
  "tests/tasks/kyc.test.ts": 9,
  "tests/users/profile.test.ts": 9,
  "tests/tasks/webhooks.test.ts": 9,
  "tests/staff/created-account.test.ts": 9,
  "tests/sessions/refresh.test.ts": 8,
  "tests/auth/social-refusals.test.ts": 8,
  "tests/sessions/jwt-mutations.test.ts": 8,
  "tests/faults/deadlines.test.ts": 8,
  "tests/auth/otp-verify.test.ts": 7,
  "tests/races/relay-races.test.ts": 7,
  "tests/auth/social-token.test.ts": 7,
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
