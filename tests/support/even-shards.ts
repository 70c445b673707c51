import { statSync } from "node:fs";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Seconds that a file of the longest takes, roughly; the others are guessed from their size. */
const KNOWN_SECONDS: Readonly<Record<string, number>> = {};
const BYTES_A_SECOND = 2500;

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
