import { describe, expect, it } from "vitest";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { countedDatabase, runJob } from "../support/jobs.ts";

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2034, 4, 1);

useClock({ at: NOW });

/** A stand-in for a bucket with more objects than the test could upload. */
function largeBucket(objects: { key: string; uploaded: Date }[]) {
  let held = [...objects].sort((a, b) => (a.key < b.key ? -1 : 1));
  let listings = 0;
  const bucket = {
    list: async ({ limit = 1000, startAfter = "" }: R2ListOptions) => {
      listings += 1;
      const following = held.filter(({ key }) => key > startAfter);
      return { objects: following.slice(0, limit), truncated: following.length > limit };
    },
    delete: async (keys: string[]) => {
      held = held.filter(({ key }) => !keys.includes(key));
    },
  };
  return {
    env: { KYC_BUCKET: bucket as unknown as R2Bucket },
    has: (key: string) => held.some((object) => object.key === key),
    takeListings: () => {
      const count = listings;
      listings = 0;
      return count;
    },
  };
}

const keyOf = (n: number) => `kyc/user-${String(n).padStart(6, "0")}/file`;

describe("sweep_kyc_uploads", () => {
  it("lists 20 pages per run, continues where the last run stopped, and starts over at the end of the bucket", async () => {
    const young = Array.from({ length: 45_000 }, (_, n) => ({ key: keyOf(n), uploaded: new Date(NOW) }));
    const old = new Date(NOW - HOUR_MS - 1);
    const strays = [keyOf(0), keyOf(25_000), keyOf(44_999)].map((key) => ({ key: `${key}-stray`, uploaded: old }));
    const bucket = largeBucket([...young, ...strays]);
    const seen: unknown[] = [];
    for (let run = 0; run < 4; run++) {
      const database = countedDatabase();
      await runJob("sweep_kyc_uploads", { ...bucket.env, ...database.env });
      expect(database.take().most, "rows of one chunk").toBeLessThan(5_000);
      seen.push([bucket.takeListings(), ...strays.map(({ key }) => bucket.has(key))]);
    }
    expect(seen).toEqual([
      [20, false, true, true],
      [20, false, false, true],
      [6, false, false, false],
      [20, false, false, false],
    ]);
    const cursors = await rows<{ cursor: string }>("select cursor from job_cursors where name = 'sweep_kyc_uploads'");
    expect(cursors).toEqual([{ cursor: keyOf(19_999) }]);
  });

  it("keeps objects that are at most an hour old", async () => {
    const kept = { key: "kyc/kept/file", uploaded: new Date(NOW - HOUR_MS) };
    const gone = { key: "kyc/gone/file", uploaded: new Date(NOW - HOUR_MS - 1) };
    await rows("delete from job_cursors");
    const bucket = largeBucket([kept, gone]);
    await runJob("sweep_kyc_uploads", bucket.env);
    expect([bucket.has(kept.key), bucket.has(gone.key)]).toEqual([true, false]);
  });
});
