import { statSync } from "node:fs";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Seconds that a file of the longest takes, roughly; the others are guessed from their size. */
const KNOWN_SECONDS: Readonly<Record<string, number>> = {
  "tests/races/staff-races.test.ts": 90,
  "tests/faults/faults.test.ts": 90,
  "tests/races/races.test.ts": 60,
  "tests/faults/crashes.test.ts": 50,
  "tests/faults/kyc-crashes.test.ts": 35,
  "tests/faults/social-crashes.test.ts": 35,
  "tests/auth/otp-locks.test.ts": 32,
  "tests/tasks/people.test.ts": 30,
  "tests/auth/account-deletion.test.ts": 28,
  "tests/races/social-races.test.ts": 28,
  "tests/staff/search-property.test.ts": 25,
  "tests/models/otp.test.ts": 20,
};
const BYTES_A_SECOND = 1500;

/** Deals the files out so that all shards take about as long: the longest first, each to the shard with the least so far. */
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
