import type { Invocation, Scheduler } from "./scheduler.ts";

/** How long a location returns a cached value or absence, in milliseconds: Cloudflare KV promises no shorter time. */
const STALE_MS = 60_000;

interface Version {
  value: string | null;
  writtenAt: number;
  location: number;
}

/** Probability that a location sees another location's write earlier than that, which no code may rely on. */
const SEEN_EARLY = 0.2;

/**
 * KV as seen at the edge: a location caches reads, including absence, for a minute, and may or may not see a write
 * elsewhere before that. The real binding stores the data.
 */
export class EdgeKv {
  private readonly versions = new Map<string, Version[]>();
  private readonly caches = new Map<string, { value: string | null; readAt: number }>();
  private readonly scheduler: Scheduler;
  private readonly real: KVNamespace;
  private readonly isFresh: boolean;

  /** A fresh KV shows every write everywhere at once, like the local one. */
  constructor(scheduler: Scheduler, real: KVNamespace, isFresh = false) {
    this.scheduler = scheduler;
    this.real = real;
    this.isFresh = isFresh;
  }

  bindingFor(invocation: Invocation): KVNamespace {
    const pass = <T>(operation: string, keys: string[], work: () => Promise<T>, absent?: T) => {
      const stale = absent === undefined ? {} : { stale: absent };
      return this.scheduler.pass(invocation, { binding: "KV", operation, detail: keys, ...stale }, work);
    };
    const binding = {
      get: (key: string | string[]) =>
        Array.isArray(key)
          ? pass(
              "get",
              key,
              async () => {
                const pairs = key.map(async (each) => [each, await this.read(invocation, each)] as const);
                return new Map(await Promise.all(pairs));
              },
              new Map(key.map((each) => [each, null])),
            )
          : pass("get", [key], () => this.read(invocation, key), null),
      put: (key: string, value: string, options?: KVNamespacePutOptions) =>
        pass("put", [key], () => this.write(invocation, key, value, () => this.real.put(key, value, options))),
      delete: (key: string) =>
        pass("delete", [key], () => this.write(invocation, key, null, () => this.real.delete(key))),
      list: (options?: KVNamespaceListOptions) => pass("list", [], () => this.real.list(options)),
    };
    return binding as unknown as KVNamespace;
  }

  private async read(invocation: Invocation, key: string): Promise<string | null> {
    if (this.isFresh) return this.real.get(key);
    const now = Date.now();
    const place = `${invocation.location} ${key}`;
    const cached = this.caches.get(place);
    if (cached && now - cached.readAt < STALE_MS) return cached.value;
    const versions = await this.history(key);
    const visible = versions.filter(
      ({ writtenAt, location }) =>
        location === invocation.location || now - writtenAt >= STALE_MS || this.scheduler.random() < SEEN_EARLY,
    );
    const value = visible.at(-1)?.value ?? null;
    this.caches.set(place, { value, readAt: now });
    return value;
  }

  private async write(
    invocation: Invocation,
    key: string,
    value: string | null,
    really: () => Promise<void>,
  ): Promise<void> {
    const versions = await this.history(key);
    await really();
    const now = Date.now();
    versions.push({ value, writtenAt: now, location: invocation.location });
    this.caches.set(`${invocation.location} ${key}`, { value, readAt: now });
  }

  /** Values from before the simulation are old enough to be visible everywhere. */
  private async history(key: string): Promise<Version[]> {
    const known = this.versions.get(key);
    if (known) return known;
    const before = await this.real.get(key);
    const versions = this.versions.get(key) ?? [{ value: before, writtenAt: Number.NEGATIVE_INFINITY, location: -1 }];
    this.versions.set(key, versions);
    return versions;
  }
}
