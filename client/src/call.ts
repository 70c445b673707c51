import { UsersApiError } from "./errors.ts";
import { forms, keyed, type Operations, open } from "./generated.ts";
import { isPassing, perform, unlessAborted, type Way } from "./repeat.ts";
import { newKey, type Progress } from "./runtime.ts";
import type { Session, Stored } from "./session.ts";
import { fingerprint, formOf } from "./upload.ts";

/** Options of a call, in addition to its input. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Replaces the key that the client generates. */
  idempotencyKey?: string | undefined;
  /** Called while a body is sent, where the runtime has XMLHttpRequest. */
  onProgress?: ((progress: Progress) => void) | undefined;
  timeout?: number | undefined;
  deadline?: number | undefined;
}

export type Operation = keyof Operations;
export type Data<Name extends Operation> = Operations[Name]["data"];
export type Input<Name extends Operation> = Omit<Operations[Name], "data"> & CallOptions;
type Optional<T> = Record<never, never> extends T ? [input?: T] : [input: T];

/** Calls one operation, named by method and path below `/api`, and gives the `data` of its answer. */
export type Call = <Name extends Operation>(name: Name, ...input: Optional<Input<Name>>) => Promise<Data<Name>>;

interface AnyInput extends CallOptions {
  params?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: Record<string, unknown>;
}

/** Factor by which the time limits of a call with files are longer. */
const UPLOAD_FACTOR = 8;

/** Maximum number of unanswered calls whose keys are kept, so that a person who tries again repeats the same call. */
const MAX_UNANSWERED = 50;

export function createCall(way: Way, url: string, session: Session): Call {
  const unanswered = new Map<string, string>();

  const call = async (name: Operation, input: AnyInput = {}): Promise<unknown> => {
    const [method = "", path = ""] = name.split(" ");
    const { body, signal } = input;
    const isKeyed = keyed.includes(name);
    const address = `${url}/api${fill(path, input.params)}${queryOf(input.query)}`;
    const identity = `${name} ${fingerprint(body)}`;
    const key = !isKeyed ? undefined : (input.idempotencyKey ?? unanswered.get(identity) ?? newKey());
    if (key) {
      unanswered.set(identity, key);
      const [oldest = ""] = unanswered.keys();
      if (unanswered.size > MAX_UNANSWERED) unanswered.delete(oldest);
    }
    const isForm = forms.includes(name);
    const factor = isForm ? UPLOAD_FACTOR : 1;
    const limits = {
      ...way,
      timeout: input.timeout ?? way.timeout * factor,
      deadline: input.deadline ?? way.deadline * factor,
    };

    const attempt = (tokens: Stored | undefined) =>
      perform(
        limits,
        {
          method,
          url: address,
          headers: {
            Accept: "application/json",
            "Accept-Language": way.language(),
            ...(tokens ? { Authorization: `Bearer ${tokens.access}` } : {}),
            ...(key ? { "Idempotency-Key": key } : {}),
            ...(body && !isForm ? { "Content-Type": "application/json" } : {}),
          },
          body: body && (isForm ? formOf(body) : JSON.stringify(body)),
          onProgress: input.onProgress,
        },
        { mayRepeat: isKeyed || method === "GET", signal },
      );

    try {
      const answer = await withTokens(session, { isOpen: open.includes(name), isUpload: isForm, signal }, attempt);
      unanswered.delete(identity);
      return answer.data;
    } catch (error) {
      // A final refusal by the API ends the use of the key. A limit, a proxy or an outage says nothing about earlier
      // attempts, whose answers may have been lost.
      const isAnswer = error instanceof UsersApiError && error.code !== "unexpected_answer" && !isPassing(error);
      if (isAnswer) unanswered.delete(identity);
      throw error;
    }
  };
  return call as Call;
}

/**
 * Tokens older than this, in milliseconds, are refreshed before an upload, because a 401 after megabytes is expensive.
 * The device's clock is only a hint.
 */
const UPLOAD_FRESH_MS = 12 * 60_000;

/** Makes an attempt with the current tokens and, if they are refused, one more with newer ones. */
async function withTokens<T>(
  session: Session,
  { isOpen, isUpload, signal }: { isOpen: boolean; isUpload: boolean; signal: AbortSignal | undefined },
  attempt: (tokens: Stored | undefined) => Promise<T>,
): Promise<T> {
  const tokens = isOpen ? undefined : await session.load();
  if (!tokens) return attempt(undefined);
  const age = Date.now() - tokens.at;
  const isOld = isUpload && !(age >= 0 && age < UPLOAD_FRESH_MS);
  const renew = (used: Stored) => unlessAborted(session.renew(used), signal);
  const first = (isOld && (await renew(tokens).catch(() => undefined))) || tokens;
  try {
    return await attempt(first);
  } catch (error) {
    if (!(error instanceof UsersApiError) || error.status !== 401) throw error;
    const newer = await renew(first);
    if (!newer) throw error;
    return attempt(newer);
  }
}

const fill = (path: string, params: Record<string, string> = {}) =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ""));

function queryOf(query: Record<string, unknown> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const pairs = given.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
}
