import { UsersApiError } from "./errors.ts";
import { createLock } from "./lock.ts";
import { perform, type Way } from "./repeat.ts";
import { newKey, runtime } from "./runtime.ts";
import type { TokenStorage } from "./storage.ts";

/** What an app knows after a sign-in. */
export interface TokenPair {
  access: string;
  refresh: string;
  /** The id of the user, so that no call is repeated as somebody else. */
  user?: string | undefined;
}

/** What the storage holds. */
export interface Stored extends TokenPair {
  /** Idempotency-Key for refreshing these tokens; repetitions keep it, also in another tab and after a restart. */
  key: string;
  /** When they were received by the device's clock, in milliseconds. */
  at: number;
}

/** `logout` and `deleted` by this app, `ended` by the API, `elsewhere` in another tab. */
export type SignedOutReason = "logout" | "deleted" | "ended" | "elsewhere";

export interface Session {
  load(): Promise<Stored | undefined>;
  /** Stores the tokens of a sign-in. */
  begin(tokens: TokenPair): Promise<void>;
  /** Tokens that are newer than `used`; undefined if the person is signed out or somebody else signed in. */
  renew(used: Stored): Promise<Stored | undefined>;
  /** Runs `work` on the current tokens while nobody refreshes them, and removes them in any case. */
  end<T>(reason: SignedOutReason, work?: (tokens: Stored) => Promise<T>): Promise<void>;
}

export interface SessionOptions {
  way: Way;
  url: string;
  storage: TokenStorage;
  isShared: boolean;
  name: string;
  onSignedOut(reason: SignedOutReason): void;
}

/** Keeps the tokens of one person. One refresh runs at a time; the storage decides which tokens are current. */
export function createSession({ way, url, storage, isShared, name, onSignedOut }: SessionOptions): Session {
  const lock = createLock(storage, name, isShared, way.deadline + 15_000);
  let refreshing: Promise<Stored | undefined> | undefined;
  let wasSignedIn = false;
  /** Why the tokens are being removed, for a call that finds them gone before the removal is over. */
  let ending: SignedOutReason | undefined;
  const Channel = isShared && runtime.document ? runtime.BroadcastChannel : undefined;
  const tabs = Channel && new Channel(name);
  // A tab may hear of a sign-out before it sees that the storage has changed, so the message names the tokens.
  const hear = async (ended: unknown) => (await load())?.key === ended && signedOut("elsewhere");
  if (tabs) tabs.onmessage = ({ data }) => void hear(data);

  async function load(): Promise<Stored | undefined> {
    const text = await storage.get(name);
    let found: Stored | undefined;
    try {
      found = JSON.parse(text ?? "null") ?? undefined;
    } catch {
      // Not written by this client, so it is ignored.
    }
    if (found?.refresh) wasSignedIn = true;
    else signedOut(ending ?? "elsewhere");
    return found?.refresh ? found : undefined;
  }

  function signedOut(reason: SignedOutReason): void {
    if (!wasSignedIn) return;
    wasSignedIn = false;
    onSignedOut(reason);
  }

  async function store(tokens: TokenPair): Promise<Stored> {
    const stored: Stored = { ...tokens, key: newKey(), at: Date.now() };
    await storage.set(name, JSON.stringify(stored));
    wasSignedIn = true;
    return stored;
  }

  async function clear(reason: SignedOutReason, { key }: Stored): Promise<undefined> {
    ending = reason;
    try {
      await storage.remove(name);
    } finally {
      ending = undefined;
    }
    signedOut(reason);
    tabs?.postMessage(key);
  }

  /** Refreshes the tokens unless another client or tab has done it already. */
  async function refresh(used: Stored): Promise<Stored | undefined> {
    const current = await load();
    if (!current || current.refresh !== used.refresh || current.access !== used.access) return current;
    const headers = {
      "Accept-Language": way.language(),
      "Content-Type": "application/json",
      "Idempotency-Key": current.key,
    };
    const body = JSON.stringify({ refresh_token: current.refresh });
    const request = { method: "POST", url: `${url}/api/auth/refresh`, headers, body };
    const answer = await perform(way, request, { mayRepeat: true }).catch((error: unknown) => {
      // Only this answer of the API itself means signed out. After any other the tokens stay, and the caller decides.
      if (error instanceof UsersApiError && error.status === 401 && error.code === "token_not_valid") return undefined;
      throw error;
    });
    const now = await load();
    // A tab without the lock was faster: what it stored is newer.
    if (now?.refresh !== current.refresh) return now;
    if (!answer) return clear("ended", current);
    const { access, refresh } = answer.data as TokenPair;
    // Stored before they are used, because the next refresh must start from the successor.
    return store({ access, refresh, user: current.user });
  }

  return {
    load,
    begin: (tokens) => lock(() => store(tokens)).then(() => {}),
    async renew(used) {
      refreshing ??= lock(() => refresh(used)).finally(() => {
        refreshing = undefined;
      });
      const newer = await refreshing;
      return newer?.user === used.user ? newer : undefined;
    },
    end: (reason, work) =>
      lock(async () => {
        const current = await load();
        try {
          if (current) await work?.(current);
        } finally {
          if (current) await clear(reason, current);
        }
      }),
  };
}
