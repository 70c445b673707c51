import { createUsersClient, isUsersError, itemStorage } from "../src/index.ts";
import { picture, readCode } from "./life.ts";

// What runs in each tab of the browser tests, which call `tab.…` in the page.

interface Page {
  localStorage: {
    getItem(name: string): string | null;
    setItem(name: string, value: string): void;
    removeItem(name: string): void;
  };
  location: { origin: string };
  tab: typeof tab;
}

const page = globalThis as unknown as Page;
const signedOut: string[] = [];
const users = createUsersClient({
  baseUrl: page.location.origin,
  storage: itemStorage(page.localStorage),
  timeout: 6_000,
  retryDelay: 20,
  onSignedOut: (reason) => signedOut.push(reason),
});

/** Tries again after an error of the network, as a person does. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      return await work();
    } catch (error) {
      const isPassing = isUsersError(error) && (error.status < 400 || error.status >= 500);
      if (!isPassing || i === 40) throw error;
    }
  }
}

const stored = () =>
  JSON.parse(page.localStorage.getItem("powerbank") ?? "null") as { access: string; refresh: string };

const tab = {
  signedOut,
  async signUp(identifier: string): Promise<void> {
    await patiently(() => users.auth.requestCode(identifier));
    const code = await readCode(page.location.origin, identifier);
    await patiently(() => users.auth.signIn(identifier, code));
  },
  /** Lets the access token expire. */
  expire: () => fetch("/expire", { method: "POST", body: stored().access }).then(() => undefined),
  /** Three calls at once. */
  async use(): Promise<string[]> {
    const calls = [users.me, users.wallet, users.profile.get];
    await Promise.all(calls.map((call) => patiently<unknown>(call)));
    return signedOut;
  },
  /** How often the session's tokens have been rotated. */
  rotations: () => (JSON.parse(atob(stored().refresh.split(".")[1] ?? "")) as { counter: number }).counter,
  /** Uploads a document, and gives the states of its progress. */
  async upload(): Promise<number[]> {
    const seen: number[] = [];
    const body = { document_number: "12-34-56-78901", document_front: picture() };
    await patiently(() => users.kyc.submit(body, { onProgress: ({ loaded, total }) => seen.push(loaded / total) }));
    return seen;
  },
  logout: () => users.auth.logout(),
};
page.tab = tab;
