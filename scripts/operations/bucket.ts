import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getPlatformProxy } from "wrangler";
import { readConfiguration } from "./configuration.ts";
import type { Target } from "./database.ts";
import { root } from "./wrangler.ts";

/** An object in the documents bucket, without its content. */
export interface StoredObject {
  key: string;
  size: number;
  etag: string;
  uploaded: string;
}

/** The documents bucket. Read through the binding, because wrangler has no list command. `close` ends the access. */
export async function openBucket(target: Target): Promise<{ bucket: R2Bucket; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "users-api-bucket-"));
  const { r2_buckets, compatibility_date } = readConfiguration(
    join(root, "wrangler.toml"),
    target.remote ? "production" : undefined,
  );
  const bucket = r2_buckets.find(({ binding }) => binding === "KYC_BUCKET");
  const config = join(folder, "wrangler.json");
  const remote = target.remote ? { remote: true } : {};
  writeFileSync(config, JSON.stringify({ name: "bucket", compatibility_date, r2_buckets: [{ ...bucket, ...remote }] }));
  const { env, dispose } = await getPlatformProxy<Pick<Env, "KYC_BUCKET">>({
    configPath: config,
    persist: target.remote ? false : { path: join(target.state, "v3") },
    remoteBindings: target.remote,
  });
  return {
    bucket: env.KYC_BUCKET,
    async close() {
      await dispose();
      rmSync(folder, { recursive: true });
    },
  };
}

/** All objects of the documents bucket, in key order. */
export async function listDocuments(target: Target): Promise<StoredObject[]> {
  const { bucket, close } = await openBucket(target);
  try {
    const found: StoredObject[] = [];
    let cursor: string | undefined;
    do {
      const page = await bucket.list(cursor ? { cursor } : {});
      found.push(
        ...page.objects.map(({ key, size, etag, uploaded }) => ({ key, size, etag, uploaded: uploaded.toISOString() })),
      );
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor);
    return found;
  } finally {
    await close();
  }
}
