import { useLayoutEffect, useState } from "preact/hooks";
import { asRefusal, Refusal, readAnswer } from "./refusal.ts";
import type { SessionData } from "./routes.ts";

/** How long the page waits without input in any tab before it hides everything, in milliseconds. */
export const CURTAIN_MS = 15 * 60_000;
/** A token that expires sooner is refreshed first, in milliseconds. */
const MARGIN_MS = 30_000;

export type User = SessionData["user"];

/** Whether somebody is signed in in this tab. `notice` says why not. `isPending`: the server has not ended the session. */
export type State =
  | { is: "starting" }
  | { is: "out"; notice?: string; isPending?: true }
  | { is: "in"; user: User }
  | { is: "hidden"; user: User };

// The access token lives in this variable alone: no storage, no cookie that a script could read.
let access: { token: string; expiresAt: number } | undefined;
let state: State = { is: "starting" };
const listeners = new Set<() => void>();

function become(next: State): void {
  state = next;
  if (next.is !== "in") access = undefined;
  for (const listen of listeners) listen();
}

/** The state, which renders the component again whenever it changes. */
export function useSession(): State {
  const [, update] = useState({});
  // Not after the first paint, before which the state may change already.
  useLayoutEffect(() => {
    const listen = () => update({});
    listeners.add(listen);
    return () => void listeners.delete(listen);
  }, []);
  return state;
}

/** The signed-in user; for components that show only while somebody is. */
export function useUser(): User {
  const current = useSession();
  return current.is === "in" ? current.user : { id: "", username: "", role: "user", passkey_required: false };
}

async function send(method: string, path: string, body?: object): Promise<SessionData | null> {
  const response = await fetch(`/console/session${path}`, {
    method,
    redirect: "manual",
    ...(body ? { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {}),
  });
  return (await readAnswer<{ data: SessionData | null }>(response)).data;
}

function enter(session: SessionData): string {
  // The page stays hidden until the person has proved who they are; it may not be the one who left.
  if (state.is === "hidden") become({ is: "hidden", user: session.user });
  else show(session.user);
  access = { token: session.access_token, expiresAt: Date.now() + session.expires_in * 1000 };
  return session.access_token;
}

function show(user: User): void {
  const isSame = state.is === "in" && JSON.stringify(state.user) === JSON.stringify(user);
  if (!isSame) become({ is: "in", user });
}

/** How somebody signs in: by a code that they entered, or by a passkey. */
type Credential = { identifier: string; verification_token: string } | { credential: object };

/** Signs in. @throws Refusal */
export async function signIn(credential: Credential): Promise<void> {
  const session = await send("POST", "", credential);
  // The server has ended the session of the cookie that the new one replaces.
  setSignOutPending(false);
  lastInput = Date.now();
  if (session) enter(session);
}

const ENDED = "Your session has ended. Sign in again.";

let refreshing: Promise<string> | undefined;
/** Number of times this tab was signed out; the answer to an earlier refresh must not sign it in again. */
let signOuts = 0;

/** Refreshes the token. Only one tab does so at a time, because all of them share the cookie. */
function refresh(): Promise<string> {
  refreshing ??= navigator.locks
    .request("console-refresh", async () => {
      const before = signOuts;
      const session = await send("POST", "/refresh");
      if (signOuts !== before) throw new Refusal(401, "signed_out", ENDED);
      if (session) return enter(session);
      signedOut(state.is === "starting" ? undefined : ENDED);
      throw new Refusal(401, "signed_out", ENDED);
    })
    .finally(() => {
      refreshing = undefined;
    });
  return refreshing;
}

/** An access token. `refused` is one that the server did not accept. @throws Refusal if nobody is signed in. */
export async function accessToken(refused?: string): Promise<string> {
  // The cookie may outlive the sign-out for a moment; calls under way must not use it.
  if (state.is === "out") throw new Refusal(401, "signed_out", ENDED);
  if (state.is === "hidden" && !isResuming) throw new Refusal(401, "hidden", "The console is paused.");
  if (access && access.token !== refused && access.expiresAt - Date.now() > MARGIN_MS) return access.token;
  return refresh();
}

/** Starts the page: signed in if the browser's cookie says so, unless the person has signed out. */
export async function start(): Promise<void> {
  if (isSignOutPending()) return finishSignOut();
  await refresh().catch((error: unknown) => {
    if (state.is !== "starting") return;
    if (error instanceof Refusal && error.status === 401) return become({ is: "out" });
    const notice = error instanceof Refusal ? error.message : "The server was not reached. Load the page again.";
    become({ is: "out", notice });
  });
}

/**
 * Whether a sign-out waits for the server, kept in this browser. No script can delete the cookie, so otherwise the next
 * person at this computer would be signed in by a reload.
 */
const isSignOutPending = () => localStorage.getItem("console-sign-out") !== null;

function setSignOutPending(isPending: boolean): void {
  if (isPending) localStorage.setItem("console-sign-out", "pending");
  else localStorage.removeItem("console-sign-out");
}

/** Signs out here and in the other tabs, and ends the session on the server, or says that this did not succeed. */
export async function signOut(): Promise<void> {
  setSignOutPending(true);
  tabs.postMessage({ is: "out" });
  signedOut(undefined);
  await finishSignOut();
}

/** Ends the session of the browser's cookie on the server, unless somebody has signed in since the sign-out. */
export async function finishSignOut(): Promise<void> {
  let next: State = { is: "out" };
  try {
    if (isSignOutPending()) {
      await send("DELETE", "");
      setSignOutPending(false);
      next = { is: "out", notice: "You are signed out." };
    }
  } catch (error) {
    const notice = `Your session has not ended yet, because the sign-out failed. ${asRefusal(error).message}`;
    next = { is: "out", notice, isPending: true };
  }
  if (state.is === "out" || state.is === "starting") become(next);
}

addEventListener("online", () => state.is === "out" && state.isPending && void finishSignOut());

function signedOut(notice: string | undefined): void {
  signOuts++;
  become(notice === undefined ? { is: "out" } : { is: "out", notice });
}

// Tabs tell each other about sign-outs and about input.

const tabs = new BroadcastChannel("console");
let lastInput = Date.now();
let toldAt = 0;

tabs.onmessage = ({ data }: MessageEvent<{ is: "out" | "input" }>) => {
  if (data.is === "input") lastInput = Date.now();
  else if (state.is === "in" || state.is === "hidden") signedOut("You signed out in another tab.");
};

function noteInput(): void {
  lastInput = Date.now();
  if (lastInput - toldAt < 5_000) return;
  toldAt = lastInput;
  tabs.postMessage({ is: "input" });
}

function hideIfIdle(): void {
  if (state.is === "in" && Date.now() - lastInput >= CURTAIN_MS) become({ is: "hidden", user: state.user });
}

for (const type of ["pointerdown", "keydown", "wheel"]) addEventListener(type, noteInput, { passive: true });
document.addEventListener("visibilitychange", hideIfIdle);
setInterval(hideIfIdle, 5_000);

let isResuming = false;

/** Shows the page again after a pause, once `prove` is done. @throws Refusal, also if the session has ended. */
export async function resume(prove: () => Promise<void>): Promise<void> {
  if (state.is !== "hidden") return;
  lastInput = Date.now();
  isResuming = true;
  try {
    await refresh();
    await prove();
    // Unless they signed out instead.
    if (state.is === "hidden") show(state.user);
  } finally {
    isResuming = false;
    if (state.is === "hidden") access = undefined;
  }
}

/** The role turned out to need a passkey that this session lacks. */
export function needPasskey(): void {
  if (state.is === "in") show({ ...state.user, passkey_required: true });
}

/** Reads again what this session may do, after a passkey has proved it. @throws Refusal */
export async function recheck(): Promise<void> {
  await refresh();
}
