import { newKey, runtime, sleep } from "./runtime.ts";
import type { TokenStorage } from "./storage.ts";

const tails = new WeakMap<TokenStorage, Promise<unknown>>();

/** Runs one piece of work at a time among all clients of a storage, and among tabs if `isShared`. */
export type Lock = <T>(work: () => Promise<T>) => Promise<T>;

/** @param lease milliseconds after which a holder counts as a frozen tab and loses the lock. */
export function createLock(storage: TokenStorage, name: string, isShared: boolean, lease: number): Lock {
  const locks = runtime.navigator?.locks;
  const among = !isShared ? undefined : locks ? webLock : runtime.document ? leaseLock : undefined;

  async function webLock<T>(work: () => Promise<T>): Promise<T> {
    let running: Promise<T> | undefined;
    const hold = () => {
      running = work();
      return running.catch(() => {});
    };
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), lease);
    // A rejection means that the wait timed out, or that another tab stole the lock while this one was frozen.
    await locks?.request(name, { signal: patience.signal }, hold).catch(() => {});
    clearTimeout(timer);
    if (!running) await locks?.request(name, { steal: true }, hold).catch(() => {});
    return running ?? work();
  }

  /** For pages without Web Locks: old browsers, and plain http on a LAN. */
  async function leaseLock<T>(work: () => Promise<T>): Promise<T> {
    const item = `${name}.lock`;
    const id = newKey();
    for (;;) {
      const [holder, until] = ((await storage.get(item)) ?? "").split(" ");
      const left = Number(until) - Date.now();
      if (holder === id) break;
      // A lease from further in the future was written before the clock was set back.
      if (!(left > 0 && left <= lease)) await storage.set(item, `${id} ${Date.now() + lease}`);
      // If two tabs write at once, both read the later value after this pause.
      await sleep(30 + 30 * Math.random());
    }
    try {
      return await work();
    } finally {
      if ((await storage.get(item))?.startsWith(id)) await storage.remove(item);
    }
  }

  return (work) => {
    const turn = () => (among ? among(work) : work());
    const run = (tails.get(storage) ?? Promise.resolve()).then(turn, turn);
    tails.set(storage, run);
    return run;
  };
}
