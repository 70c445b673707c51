import {
  createUsersClient,
  isUsersError,
  memoryStorage,
  type Options,
  type SignedOutReason,
  type TokenStorage,
  type UsersClient,
} from "../src/index.ts";

/** Where a life happens. It must run in Node, in a Worker and in a page. */
export interface World {
  /** Address of the bad network. */
  proxy: string;
  /** Address of the server itself, where the outbox is read. */
  server: string;
  /** Where the person seems to be; a page cannot choose. */
  ip?: string;
  /** Further options of the client. */
  options?: Partial<Options>;
}

/** What one person has met. */
export interface Report {
  identifier: string;
  userId: string;
  signedOut: SignedOutReason[];
  /** How often tokens were stored; the first time by the sign-in. */
  stored: number;
  /** How often the person had to try again. */
  tries: number;
  submitted: boolean;
  /** Milliseconds until the request for a code was answered. */
  asked: number;
  problems: string[];
}

const MOST_TRIES = 40;
/** How long a person waits before trying again, in milliseconds: longer each time. */
const pauseBefore = (attempt: number) => Math.min(2_000, 50 * 2 ** attempt);

/** A one-pixel PNG image. */
const PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
export const picture = () => new Blob([Uint8Array.from(atob(PICTURE), (c) => c.charCodeAt(0))], { type: "image/png" });

/** Reads the code that was sent. */
export async function readCode(server: string, identifier: string): Promise<string> {
  for (let i = 0; i < 200; i++) {
    const address = `${server}/dev/outbox?to=${encodeURIComponent(identifier)}`;
    const response = await fetch(address, { headers: { accept: "application/json" } });
    // Notices of the account's security have no code.
    const { messages } = (await response.json()) as { messages: { code: string | null }[] };
    const code = messages.find((message) => message.code !== null)?.code;
    if (code) return code;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no code for ${identifier}`);
}

/**
 * Signs up and uses the app with two clients on one storage, as a page in two tabs, while tokens expire. The person
 * tries again after an error of the network, and after no other.
 */
export async function live(
  world: World,
  identifier: string,
  submits: boolean,
): Promise<Report & { client: UsersClient }> {
  const report: Report = {
    identifier,
    userId: "",
    signedOut: [],
    stored: 0,
    tries: 0,
    submitted: false,
    asked: 0,
    problems: [],
  };
  const memory = memoryStorage();
  const storage: TokenStorage = {
    ...memory,
    set(name, value) {
      report.stored++;
      return memory.set(name, value);
    },
  };
  const from = world.ip === undefined ? {} : { "cf-connecting-ip": world.ip };
  const create = () =>
    createUsersClient({
      baseUrl: world.proxy,
      fetch: (url, init) => fetch(url, { ...init, headers: { ...(init.headers as object), ...from } }),
      storage,
      name: identifier,
      timeout: 15_000,
      retryDelay: 20,
      onSignedOut: (reason) => report.signedOut.push(reason),
      ...world.options,
    });
  const [client, other] = [create(), create()];

  async function patiently<T>(work: () => Promise<T>): Promise<T | undefined> {
    const met = new Map<string, number>();
    const startedAt = performance.now();
    for (let i = 0; i < MOST_TRIES; i++) {
      try {
        return await work();
      } catch (error) {
        const isPassing = isUsersError(error) && (error.status === 0 || error.status < 400 || error.status >= 500);
        if (!isPassing) {
          report.problems.push(isUsersError(error) ? `${error.status} ${error.code} ${error.message}` : String(error));
          return undefined;
        }
        report.tries++;
        const outcome = isUsersError(error) ? `${error.status} ${error.code}` : String(error);
        met.set(outcome, (met.get(outcome) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, pauseBefore(i)));
      }
    }
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    report.problems.push(`no answer in ${seconds} s: ${JSON.stringify(Object.fromEntries(met))}, by ${work}`);
    return undefined;
  }

  /** A quarter of an hour passes. */
  async function expire(): Promise<void> {
    const { access } = JSON.parse(String(await storage.get(identifier))) as { access: string };
    await fetch(`${world.proxy}/expire`, { method: "POST", body: access });
  }

  const askedAt = performance.now();
  await patiently(() => client.auth.requestCode(identifier));
  report.asked = performance.now() - askedAt;
  const code = await readCode(world.server, identifier);
  const account = await patiently(() => client.auth.signIn(identifier, code));
  if (!account) return Object.assign(report, { client });
  report.userId = account.user_id;
  for (let round = 0; round < 2; round++) {
    await expire();
    const answers = await Promise.all([
      patiently(() => client.me()),
      patiently(() => client.wallet()),
      patiently(() => other.me()),
      patiently(() => other.profile.get()),
    ]);
    if (answers[0]?.id !== report.userId || answers[2]?.id !== report.userId) report.problems.push("somebody else");
    await patiently(() => client.profile.update({ address: `Ward ${round}, Pokhara` }));
    if (round === 1 && submits) {
      await expire();
      const body = { document_number: `NP-${identifier}`, document_front: picture() };
      report.submitted = (await patiently(() => client.kyc.submit(body))) !== undefined;
    }
  }
  const profile = await patiently(() => other.profile.get());
  if (profile?.address !== "Ward 1, Pokhara") report.problems.push("the profile is not what was written");
  await patiently(async () => {
    for await (const { id } of client.notifications.all(1)) await client.notifications.read(id);
  });
  return Object.assign(report, { client });
}
