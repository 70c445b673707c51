import { AppError } from "./errors.ts";

/**
 * Maximum number of bytes that uploads may hold per isolate. All requests of an isolate share its 128 MB, and each byte
 * may be in memory twice while a file is assembled from its chunks.
 */
const MAX_HELD_BYTES = 44 * 1024 * 1024;

/** Module state, because the memory belongs to the isolate. */
let heldBytes = 0;

/** Memory reserved by one upload. */
export interface Share {
  /**
   * Reserves memory. @throws AppError `service_unavailable` if the uploads of this isolate hold too much; the client
   * may retry.
   */
  take(bytes: number): void;
  /** Releases all reserved memory; safe to call twice. */
  release(): void;
}

/** Tracks the memory of one upload. The caller must call `release` in every case. */
export function shareUploadMemory(): Share {
  let own = 0;
  return {
    take(bytes) {
      if (heldBytes + bytes > MAX_HELD_BYTES) {
        throw new AppError("service_unavailable", { reason: "upload memory", retryAfterSeconds: 2 });
      }
      heldBytes += bytes;
      own += bytes;
    },
    release() {
      heldBytes -= own;
      own = 0;
    },
  };
}
