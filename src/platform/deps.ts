import type { SQL } from "drizzle-orm";
import type { Config } from "./config/config.ts";
import type { Keyring } from "./config/keyring.ts";
import type { RandomBytes } from "./crypto.ts";
import type { Database } from "./data/drizzle.ts";
import type { QueryCount } from "./data/query-count.ts";
import type { Log } from "./log.ts";

/** External dependencies of a function; each function narrows them with `Pick` to those that it uses. */
export interface Deps {
  config: Config;
  keyring: Keyring;
  db: Database;
  /** The search database, which can be rebuilt from the primary. */
  searchDb: Database;
  kv: KVNamespace;
  bucket: R2Bucket;
  /** Queue producers by the name used in outbox rows. */
  queues: Readonly<Record<QueueName, Queue>>;
  fanOut: FanOut;
  /** Condition on the row `o` of `outbox`: the payload may be kept if the event becomes a dead letter. */
  keepsPayload: SQL;
  rateLimiter: RateLimit;
  /** Counts the writes of signed-in users. */
  userRateLimiter: RateLimit;
  /** Cloudflare Email Service; undefined if it is not bound. */
  email: SendEmail | undefined;
  /** Network access; used only by `callOutside`. */
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Milliseconds since the epoch. */
  now: () => number;
  randomBytes: RandomBytes;
  /** A new UUIDv7 (RFC 9562), which sorts by time. */
  newId: () => string;
  /** 128 random bits that identify this invocation and mark the rows that it writes; never derived from the request. */
  invocationId: string;
  log: Log;
  /** Number of D1 queries, shared by all work of the invocation. */
  queries: QueryCount;
  /** Runs work after the response. It may be cut off, so nothing essential may depend on it alone. */
  afterResponse: (work: Promise<unknown>) => void;
}

/** Event types that are also sent to a second queue, as a message of another type. */
export type FanOut = Readonly<Record<string, { queue: QueueName; type: string }>>;

/** Names of the queues that this service sends to. */
export type QueueName = "otp" | "tasks" | "search";
