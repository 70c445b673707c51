import { raiseAlert } from "../../platform/alerts.ts";
import { withDeadline } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { describeError } from "../../platform/log.ts";

/** Every object's key begins so: `kyc/{user_id}/{document_id}`. */
const OBJECT_PREFIX = "kyc/";
/** How long R2 may take for one file, in milliseconds. */
const PUT_DEADLINE_MS = 30_000;

type BucketDeps = Pick<Deps, "bucket" | "log">;

export function objectKeyOf(userId: string, documentId: string): string {
  return `${OBJECT_PREFIX}${userId}/${documentId}`;
}

/**
 * Puts a file under a key that nothing has. A lost answer is settled by putting once more: what is there already under
 * this key can only be the same file.
 *
 * @throws AppError `service_unavailable` when R2 fails twice; the file may be there all the same, and is swept.
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
      PUT_DEADLINE_MS,
    );
  try {
    await put().catch(put);
  } catch (error) {
    throw bucketFailed(deps, error);
  }
}

/** The file's bytes as a stream; undefined when nothing is there. @throws AppError `service_unavailable`. */
export async function readObject(deps: BucketDeps, key: string): Promise<ReadableStream | undefined> {
  try {
    return (await withDeadline(deps.bucket.get(key)))?.body;
  } catch (error) {
    throw bucketFailed(deps, error);
  }
}

/** Removes the objects, at most 1,000; those that are not there are no fault. */
export async function removeObjects(deps: Pick<Deps, "bucket">, keys: string[]): Promise<void> {
  if (keys.length > 0) await withDeadline(deps.bucket.delete(keys), PUT_DEADLINE_MS);
}

/**
 * At most 1,000 objects in the order of their keys, behind the key `after` where it is not empty.
 *
 * @returns `last`: the last key of the page, for the next one to begin behind; undefined where the bucket ends.
 */
export async function listObjects(
  deps: Pick<Deps, "bucket">,
  after: string,
): Promise<{ objects: { key: string; uploadedAt: number }[]; last: string | undefined }> {
  const page = await withDeadline(
    deps.bucket.list({ prefix: OBJECT_PREFIX, limit: 1000, ...(after ? { startAfter: after } : {}) }),
    PUT_DEADLINE_MS,
  );
  const objects = page.objects.map(({ key, uploaded }) => ({ key, uploadedAt: uploaded.getTime() }));
  return { objects, last: page.truncated ? objects.at(-1)?.key : undefined };
}

function bucketFailed(deps: Pick<Deps, "log">, error: unknown): AppError {
  raiseAlert(deps, "bucket_failed", { reason: describeError(error) });
  return new AppError("service_unavailable", { retryAfterSeconds: 2, cause: error });
}
