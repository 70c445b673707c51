import { raiseAlert } from "../../platform/alerts.ts";
import { withDeadline } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { describeError } from "../../platform/log.ts";

/** Prefix of every object key: `kyc/{user_id}/{document_id}`. */
const OBJECT_PREFIX = "kyc/";
/** Deadline of a put, delete or list call to R2, in milliseconds. */
const R2_DEADLINE_MS = 30_000;

type BucketDeps = Pick<Deps, "bucket" | "log">;

/** The object key of a document. */
export function objectKeyOf(userId: string, documentId: string): string {
  return `${OBJECT_PREFIX}${userId}/${documentId}`;
}

/**
 * Stores a file under a new key. A failed call is made once more, which is safe: an existing object is not overwritten,
 * and can only be this file.
 *
 * @throws AppError `service_unavailable` if R2 fails twice. The file may exist nevertheless; the sweeper removes it.
 */
export async function putObject(
  deps: BucketDeps,
  key: string,
  file: { bytes: Uint8Array<ArrayBuffer>; contentType: string },
): Promise<void> {
  const put = () =>
    withDeadline(
      deps.bucket.put(key, file.bytes, {
        onlyIf: { etagDoesNotMatch: "*" },
        httpMetadata: { contentType: file.contentType },
      }),
      R2_DEADLINE_MS,
    );
  try {
    await put().catch(put);
  } catch (error) {
    throw bucketFailed(deps, error);
  }
}

/** The file's bytes as a stream; undefined if it does not exist. @throws AppError `service_unavailable`. */
export async function readObject(deps: BucketDeps, key: string): Promise<ReadableStream | undefined> {
  try {
    return (await withDeadline(deps.bucket.get(key)))?.body;
  } catch (error) {
    throw bucketFailed(deps, error);
  }
}

/** Removes at most 1,000 objects; missing ones are ignored. */
export async function removeObjects(deps: Pick<Deps, "bucket">, keys: string[]): Promise<void> {
  if (keys.length > 0) await withDeadline(deps.bucket.delete(keys), R2_DEADLINE_MS);
}

/**
 * Lists at most 1,000 objects in key order, after the key `after` unless it is empty.
 *
 * @returns `last`: the last key of the page, after which the next page begins; undefined at the end of the bucket.
 */
export async function listObjects(
  deps: Pick<Deps, "bucket">,
  after: string,
): Promise<{ objects: { key: string; uploadedAt: number }[]; last: string | undefined }> {
  const page = await withDeadline(
    deps.bucket.list({ prefix: OBJECT_PREFIX, limit: 1000, ...(after ? { startAfter: after } : {}) }),
    R2_DEADLINE_MS,
  );
  const objects = page.objects.map(({ key, uploaded }) => ({ key, uploadedAt: uploaded.getTime() }));
  return { objects, last: page.truncated ? objects.at(-1)?.key : undefined };
}

function bucketFailed(deps: Pick<Deps, "log">, error: unknown): AppError {
  raiseAlert(deps, "bucket_failed", { reason: describeError(error) });
  return new AppError("service_unavailable", { retryAfterSeconds: 2, cause: error });
}
