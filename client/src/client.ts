import { type CallOptions, createCall, type Data, type Input, type Operation } from "./call.ts";
import { UsersApiError } from "./errors.ts";
import type { Options } from "./options.ts";
import { createPages } from "./pages.ts";
import { perform, type Way } from "./repeat.ts";
import { createSession, type SignedOutReason, type TokenPair } from "./session.ts";
import { memoryStorage } from "./storage.ts";

type Provider = "google" | "apple";
type Body<Name extends Operation> = NonNullable<Input<Name> extends { body?: infer B } ? B : never>;

export type UsersClient = ReturnType<typeof createUsersClient>;

/** A client of the Users API for one signed-in person. */
export function createUsersClient(options: Options) {
  const { storage = memoryStorage(), name = "powerbank", onSignedOut } = options;
  const url = options.baseUrl.replace(/\/+$/, "");
  const listeners = new Set(onSignedOut ? [onSignedOut] : []);
  let language = options.language ?? "en";
  const way: Way = {
    timeout: options.timeout ?? 15_000,
    deadline: options.deadline ?? 30_000,
    retries: options.retries ?? 4,
    retryDelay: options.retryDelay ?? 400,
    // A plain call, because browsers throw if `fetch` is called as a method of another object.
    fetch: options.fetch ?? ((address, init) => fetch(address, init)),
    language: () => language,
  };
  const session = createSession({
    way,
    url,
    storage,
    name,
    isShared: options.storage !== undefined,
    onSignedOut: (reason) => {
      for (const listener of listeners) listener(reason);
    },
  });
  const call = createCall(way, url, session);
  const pages = createPages(call);

  /** Stores the tokens of a sign-in and returns the rest of its answer. */
  async function signedIn<T extends { access_token: string; refresh_token: string; user_id: string }>(
    answer: Promise<T>,
  ) {
    const { access_token: access, refresh_token: refresh, ...rest } = await answer;
    await session.begin({ access, refresh, user: rest.user_id });
    return rest;
  }

  let verified: ({ of: string } & Data<"POST /auth/otp/verify">) | undefined;

  const auth = {
    /** Sends a one-time code by SMS or email. `resend_in` says when another one may be requested. */
    requestCode: (identifier: string, input?: CallOptions) =>
      call("POST /auth/otp/request", { ...input, body: { identifier } }),
    /** Verifies a code. `purpose` says which of `login` and `register` comes next. */
    verifyCode: (identifier: string, otp: string, input?: CallOptions) =>
      call("POST /auth/otp/verify", { ...input, body: { identifier, otp } }),
    login: (body: Body<"POST /auth/login">, input?: CallOptions) =>
      signedIn(call("POST /auth/login", { ...input, body })),
    register: (body: Body<"POST /auth/register">, input?: CallOptions) =>
      signedIn(call("POST /auth/register", { ...input, body })),
    /** Verifies a code, then signs in or, where there is no account, signs up; `more` is for a new account. */
    signIn: async (
      identifier: string,
      otp: string,
      more: { username?: string | undefined; referral_code?: string | undefined } = {},
      input?: Omit<CallOptions, "idempotencyKey">,
    ) => {
      const of = `${identifier} ${otp}`;
      // A code can be verified once; a person who tries again after a lost answer has the same code.
      if (verified?.of !== of) verified = { of, ...(await auth.verifyCode(identifier, otp, input)) };
      const proof = { identifier, verification_token: verified.verification_token };
      try {
        const isKnown = verified.purpose === "LOGIN";
        const answer = await (isKnown ? auth.login(proof, input) : auth.register({ ...proof, ...more }, input));
        verified = undefined;
        return answer;
      } catch (error) {
        // Forget a token that is no longer valid: a store reviewer's code stays the same and would find it again.
        if (error instanceof UsersApiError && error.code === "invalid_token") verified = undefined;
        throw error;
      }
    },
    /** Signs in with what the provider's SDK gave. */
    google: (body: Body<"POST /auth/google/token">, input?: CallOptions) =>
      signedIn(call("POST /auth/google/token", { ...input, body })),
    apple: (body: Body<"POST /auth/apple/token">, input?: CallOptions) =>
      signedIn(call("POST /auth/apple/token", { ...input, body })),
    /** Gives the `login_url` that the app opens in the system's browser. */
    startBrowser: (provider: Provider, query: Input<"GET /auth/google/login">["query"], input?: CallOptions) =>
      call(`GET /auth/${provider}/login`, { ...input, query }),
    /** Signs in with the `code` that came back to the app's `redirect_uri`. */
    finishBrowser: (body: Body<"POST /auth/social/success">, input?: CallOptions) =>
      signedIn(call("POST /auth/social/success", { ...input, body })),
    linkGoogle: (body: Body<"POST /auth/google/link">, input?: CallOptions) =>
      call("POST /auth/google/link", { ...input, body }),
    linkApple: (body: Body<"POST /auth/apple/link">, input?: CallOptions) =>
      call("POST /auth/apple/link", { ...input, body }),
    unlink: (provider: Provider, body: Body<"DELETE /auth/google/link"> = {}, input?: CallOptions) =>
      call(`DELETE /auth/${provider}/link`, { ...input, body }),
    /** Signs out here in any case; an error means that the API could not be told, and the session lives on there. */
    logout: ({ signal, timeout = way.timeout, deadline = way.deadline }: CallOptions = {}) =>
      session.end("logout", async ({ access, refresh }) => {
        const request = {
          method: "POST",
          url: `${url}/api/auth/logout`,
          headers: {
            "Accept-Language": language,
            "Content-Type": "application/json",
            Authorization: `Bearer ${access}`,
          },
          body: JSON.stringify({ refresh_token: refresh }),
        };
        await perform({ ...way, timeout, deadline }, request, { mayRepeat: true, signal }).catch((error: unknown) => {
          // An earlier attempt, or somebody else, has ended the session; the 401 of a proxy does not say so.
          const hasEnded = error instanceof UsersApiError && error.status === 401 && error.code !== "unexpected_answer";
          if (!hasEnded) throw error;
        });
      }),
    /** Proves that the person is present, by a verification token or a passkey; sensitive changes require it. */
    prove: (body: Body<"POST /auth/proof">, input?: CallOptions) => call("POST /auth/proof", { ...input, body }),
    /** Deletes the account for good. */
    deleteAccount: async (body: Body<"DELETE /auth/account"> = {}, input?: CallOptions) => {
      const answer = await call("DELETE /auth/account", { ...input, body });
      await session.end("deleted");
      return answer;
    },
  };

  const identity = {
    /** How the person signs in, and until when this session may change it. */
    get: (input?: CallOptions) => call("GET /auth/identity", input),
    /** Sets the language of messages to the person. */
    setLanguage: (locale: "en" | "ne", input?: CallOptions) =>
      call("PATCH /auth/identity", { ...input, body: { locale } }),
    /** Sends a code to a new address or number; its message says that it changes an account. */
    requestCode: (identifier: string, input?: CallOptions) =>
      call("POST /auth/otp/request", { ...input, body: { identifier, purpose: "CHANGE" as const } }),
    setEmail: (body: Body<"PUT /auth/identity/email">, input?: CallOptions) =>
      call("PUT /auth/identity/email", { ...input, body }),
    setPhoneNumber: (body: Body<"PUT /auth/identity/phone">, input?: CallOptions) =>
      call("PUT /auth/identity/phone", { ...input, body }),
    removeEmail: (input?: CallOptions) => call("DELETE /auth/identity/email", input),
    removePhoneNumber: (input?: CallOptions) => call("DELETE /auth/identity/phone", input),
    /** Undoes a change of the last 7 days, by the identifier that the account lost; needs no sign-in. */
    dispute: (body: Body<"POST /auth/identity/dispute">, input?: CallOptions) =>
      call("POST /auth/identity/dispute", { ...input, body }),
  };

  const passkeys = {
    /** The options that `PublicKeyCredential.parseRequestOptionsFromJSON` takes to sign in; they expire. */
    signInOptions: (input?: CallOptions) => call("POST /auth/passkey/options", input),
    /** Signs in with what `navigator.credentials.get()` gave, as `toJSON()` writes it. */
    signIn: (credential: Body<"POST /auth/passkey/login">["credential"], input?: CallOptions) =>
      signedIn(call("POST /auth/passkey/login", { ...input, body: { credential } })),
    /** The options to add a passkey (REGISTER) or to prove the session (PROOF, for `auth.prove`). */
    options: (purpose: "REGISTER" | "PROOF", input?: CallOptions) =>
      call("POST /auth/passkeys/options", { ...input, body: { purpose } }),
    /** Adds what `navigator.credentials.create()` gave, as `toJSON()` writes it. */
    add: (body: Body<"POST /auth/passkeys">, input?: CallOptions) => call("POST /auth/passkeys", { ...input, body }),
    rename: (id: string, name: string, input?: CallOptions) =>
      call("PATCH /auth/passkeys/{id}", { ...input, params: { id }, body: { name } }),
    remove: (id: string, input?: CallOptions) => call("DELETE /auth/passkeys/{id}", { ...input, params: { id } }),
  };

  return {
    /** Any operation by its method and path. */
    call,
    /** The items of any list, page by page. */
    pages,
    auth,
    identity,
    passkeys,
    me: (input?: CallOptions) => call("GET /auth/me", input),
    sessions: {
      list: (input?: CallOptions) => call("GET /auth/sessions", input),
      end: (id: string, input?: CallOptions) => call("DELETE /auth/sessions/{id}", { ...input, params: { id } }),
      endOthers: (input?: CallOptions) => call("DELETE /auth/sessions", input),
    },
    profile: {
      get: (input?: CallOptions) => call("GET /users/profile", input),
      /** Changes what is sent; null clears a field. */
      update: (body: Body<"PUT /users/profile">, input?: CallOptions) => call("PUT /users/profile", { ...input, body }),
    },
    kyc: {
      get: (input?: CallOptions) => call("GET /users/kyc", input),
      status: (input?: CallOptions) => call("GET /users/kyc/status", input),
      submit: (body: Body<"POST /users/kyc">, input?: CallOptions) => call("POST /users/kyc", { ...input, body }),
      amend: (body: Body<"PATCH /users/kyc">, input?: CallOptions) => call("PATCH /users/kyc", { ...input, body }),
    },
    /** One page of all data about the person; continue with its `next_cursor` until that is null. */
    exportData: (cursor?: string, input?: CallOptions) =>
      call("GET /users/export", { ...input, query: cursor === undefined ? {} : { cursor } }),
    wallet: (input?: CallOptions) => call("GET /users/wallet", input),
    usage: (input?: CallOptions) => call("GET /users/analytics/usage-stats", input),
    notifications: {
      list: (query: Input<"GET /users/notifications">["query"] = {}, input?: CallOptions) =>
        call("GET /users/notifications", { ...input, query }),
      /** All of them, newest first; pages are loaded as they are needed. */
      all: (page_size = 50, input?: CallOptions) =>
        pages("GET /users/notifications", { ...input, query: { page_size } }),
      /** What a tapped push notification is about. */
      get: (id: string, input?: CallOptions) => call("GET /users/notifications/{id}", { ...input, params: { id } }),
      read: (id: string, input?: CallOptions) =>
        call("POST /users/notifications/{id}/read", { ...input, params: { id } }),
      readAll: (input?: CallOptions) => call("POST /users/notifications/read", input),
    },
    registerDevice: (body: Body<"POST /auth/device">, input?: CallOptions) =>
      call("POST /auth/device", { ...input, body }),
    /** Whether tokens are stored; the API alone knows whether it accepts them. */
    isSignedIn: async () => (await session.load()) !== undefined,
    /** Takes over tokens that the app has from elsewhere. */
    useTokens: (tokens: TokenPair) => session.begin(tokens),
    /** Calls another service with the access token: a 401 of `send`'s response refreshes once and repeats once. */
    withAccessToken: async <T extends { status: number }>(send: (accessToken?: string) => Promise<T>): Promise<T> => {
      const tokens = await session.load();
      const response = await send(tokens?.access);
      const newer = tokens && response.status === 401 ? await session.renew(tokens) : undefined;
      return newer ? send(newer.access) : response;
    },
    /** Adds a listener; the result removes it. */
    onSignedOut(listener: (reason: SignedOutReason) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    setLanguage(next: string): void {
      language = next;
    },
  };
}
