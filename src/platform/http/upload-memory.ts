import { AppError } from "./errors.ts";

/**
 * Bytes of uploads that one isolate holds at once. Its 128 MB are shared by all its requests, and each byte may stand in
 * memory twice for a moment, while a file is put together from its pieces.
 */
const MAX_HELD_BYTES = 44 * 1024 * 1024;

/** The memory is the isolate's, so its account is too. */
let heldBytes = 0;

/** An upload's share of the isolate's memory. */
export interface Share {
  /** @throws AppError `service_unavailable` when the uploads of this isolate hold too much: the client comes again. */
  take(bytes: number): void;
  /** Gives everything back; safe to call twice. */
  release(): void;
}

/** Opens an account for one upload; whoever opens it releases it, whatever happens. */
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
