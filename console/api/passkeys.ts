import { call } from "./call.ts";
import { asRefusal, Refusal } from "./refusal.ts";
import type { DataOf, InputOf } from "./routes.ts";
import { signIn } from "./session.ts";

/** The domain of the passkeys, as the server wrote it into the page; empty where this address may not use any. */
const RP_ID = document.documentElement.dataset.passkeys ?? "";

/** Whether this page may use passkeys: the server lists its address, and the browser knows them. */
export const hasPasskeys =
  RP_ID !== "" && "PublicKeyCredential" in globalThis && "parseRequestOptionsFromJSON" in PublicKeyCredential;

type RequestOptions = DataOf<"POST /auth/passkey/options">["public_key"];
type Passkey = DataOf<"GET /auth/identity">["passkeys"][number];
type Assertion = NonNullable<InputOf<"POST /auth/proof">["body"]["credential"]>;
type Registration = InputOf<"POST /auth/passkeys">["body"]["credential"];

const TEXTS: Record<string, string> = {
  NotAllowedError: "No passkey was used. Try again, or choose another way.",
  InvalidStateError: "This device already has a passkey of yours.",
  SecurityError: "The browser does not accept passkeys at this address.",
};

/** Converts an error of the browser's passkey dialog to a refusal with a message for people. */
function asCeremonyRefusal(error: unknown): Refusal {
  if (!(error instanceof DOMException)) return asRefusal(error);
  return new Refusal(0, error.name, TEXTS[error.name] ?? error.message);
}

async function ceremony(run: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  const credential = await run().catch((error: unknown) => {
    throw asCeremonyRefusal(error);
  });
  return credential as PublicKeyCredential;
}

/** Asks the browser for a passkey's answer. @throws Refusal */
function answerOf(options: RequestOptions, more: CredentialRequestOptions = {}): Promise<PublicKeyCredential> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON);
  return ceremony(() => navigator.credentials.get({ publicKey, ...more }));
}

/** Tells the device that no account has the passkey any more. */
async function forget(credentialId: string): Promise<void> {
  await PublicKeyCredential.signalUnknownCredential?.({ rpId: RP_ID, credentialId }).catch(() => undefined);
}

async function enter(credential: PublicKeyCredential): Promise<void> {
  try {
    await signIn({ credential: credential.toJSON() });
  } catch (error) {
    if (error instanceof Refusal && error.code === "passkey_unknown") await forget(credential.id);
    throw error;
  }
}

/** Signs in with a passkey that the person chooses in the browser's dialog. @throws Refusal */
export async function signInByPasskey(): Promise<void> {
  const { public_key } = await call("POST /auth/passkey/options");
  await enter(await answerOf(public_key));
}

/** Seconds before the options expire at which new ones are requested. */
const MARGIN_S = 30;

/**
 * Offers passkeys where the browser fills in the identifier (conditional UI), until `signal` aborts or somebody has
 * signed in. @throws Refusal if the server refuses the passkey.
 */
export async function offerPasskeys(signal: AbortSignal): Promise<void> {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  while (!signal.aborted) {
    const { public_key, expires_in } = await call("POST /auth/passkey/options");
    const isOver = AbortSignal.any([signal, AbortSignal.timeout((expires_in - MARGIN_S) * 1000)]);
    const credential = await answerOf(public_key, { mediation: "conditional", signal: isOver }).catch(() => undefined);
    if (credential) return enter(credential);
    if (!isOver.aborted) return;
  }
}

/** Proves the session with one of the person's passkeys. @throws Refusal */
export async function proveByPasskey(): Promise<void> {
  const { public_key } = await call("POST /auth/passkeys/options", { body: { purpose: "PROOF" } });
  const credential = (await answerOf(public_key as RequestOptions)).toJSON() as Assertion;
  await call("POST /auth/proof", { body: { credential } });
}

/** Proves the session if the person has a passkey: after a pause, somebody else may be at the desk. @throws Refusal */
export async function proveIfPossible(): Promise<void> {
  if (!hasPasskeys) return;
  const { passkeys } = await call("GET /auth/identity");
  if (passkeys.length > 0) await proveByPasskey();
}

/** Adds a passkey to the person's account. @throws Refusal */
export async function addPasskey(name: string): Promise<void> {
  const { public_key } = await call("POST /auth/passkeys/options", { body: { purpose: "REGISTER" } });
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    public_key as PublicKeyCredentialCreationOptionsJSON,
  );
  const credential = (await ceremony(() => navigator.credentials.create({ publicKey }))).toJSON() as Registration;
  await call("POST /auth/passkeys", { body: { credential, ...(name ? { name } : {}) } });
}

/** Removes a passkey, on the server and, where the browser can, on the device. @throws Refusal */
export async function removePasskey({ id, credential_id }: Passkey): Promise<void> {
  await call("DELETE /auth/passkeys/{id}", { id });
  await forget(credential_id);
}
