// A model of the rules for the owners of identifiers, the ways to sign in to an account, and live sessions.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

export type Kind = "email" | "phone";
export const kindOf = (identifier: string): Kind => (identifier.includes("@") ? "email" : "phone");

export interface ModelAccount {
  id: string;
  email: string | null;
  phone: string | null;
  /** When the Google account was linked; null if it is not. */
  linkedAt: number | null;
  passkeys: { id: string; addedAt: number }[];
  status: "ACTIVE" | "HELD" | "DELETED";
}

export interface ModelSession {
  id: string;
  account: ModelAccount;
  method: "EMAIL" | "PHONE" | "GOOGLE" | "PASSKEY";
  /** The passkey that opened or last proved it. */
  passkeyId: string | undefined;
  access: string;
  refresh: string;
  createdAt: number;
  refreshedAt: number;
  provedAt: number;
  provedBy: "EMAIL" | "PHONE" | "GOOGLE" | "PASSKEY";
  isEnded: boolean;
}

interface Change {
  account: ModelAccount;
  kind: Kind;
  old: string | null;
  at: number;
  isProvedByOld: boolean;
  outcome: "RESTORED" | "HELD" | undefined;
}

/** What a call may answer: `ok` or the code of its refusal. */
export type Outcome =
  | "ok"
  | "account_inactive"
  | "identifier_replaced"
  | "invalid_token"
  | "last_sign_in_method"
  | "not_found"
  | "passkey_unknown"
  | "rate_limit_exceeded"
  | "reauthentication_required"
  | "token_not_valid"
  | "user_already_exists"
  | "user_not_found";

/**
 * A dispute also removes passkeys and links added up to this long before the first change that it undoes, because their
 * calls may have begun after that change.
 */
const MARGIN = 10 * SECOND;

/** The accounts of several people according to the rules. */
export function newIdentityModel() {
  const state = { accounts: [] as ModelAccount[], sessions: [] as ModelSession[] };
  const changes: Change[] = [];
  const passkeyAdds: { account: ModelAccount; at: number }[] = [];

  const isLive = (session: ModelSession, now: number) =>
    !session.isEnded && now < session.refreshedAt + 60 * DAY && now < session.createdAt + 90 * DAY;
  const isProved = (session: ModelSession, now: number) => now < session.provedAt + 10 * MINUTE;
  const holderOf = (identifier: string) =>
    state.accounts.find(({ email, phone }) => email === identifier || phone === identifier);

  /** Whether the identifier's former owner, other than this account, may still take it back. */
  const isReserved = (identifier: string, now: number, for_?: ModelAccount) =>
    changes.some(
      ({ account, old, at, outcome }) =>
        old === identifier && account !== for_ && now < at + 7 * DAY && outcome !== "RESTORED",
    );

  const waysIn = ({ email, phone, linkedAt, passkeys }: ModelAccount) =>
    [email, phone, linkedAt].filter((way) => way !== null).length + passkeys.length;

  function endSessions(account: ModelAccount, which: (session: ModelSession) => boolean = () => true): void {
    for (const session of state.sessions) if (session.account === account && which(session)) session.isEnded = true;
  }

  function created(id: string, identifier: string): ModelAccount {
    const none = { email: null, phone: null, linkedAt: null };
    const account: ModelAccount = { id, ...none, passkeys: [], status: "ACTIVE" };
    account[kindOf(identifier)] = identifier;
    state.accounts.push(account);
    return account;
  }

  function opened(
    account: ModelAccount,
    by: ModelSession["method"],
    session: Pick<ModelSession, "id" | "access" | "refresh" | "passkeyId">,
    now: number,
  ): void {
    const [oldest, ...others] = state.sessions.filter((each) => each.account === account && isLive(each, now));
    if (oldest && others.length === 9) oldest.isEnded = true;
    const times = { createdAt: now, refreshedAt: now, provedAt: now };
    state.sessions.push({ ...session, ...times, account, method: by, provedBy: by, isEnded: false });
  }

  function login(identifier: string, now: number): Outcome {
    const holder = holderOf(identifier);
    if (!holder) return isReserved(identifier, now) ? "identifier_replaced" : "user_not_found";
    return holder.status === "HELD" ? "account_inactive" : "ok";
  }

  function register(identifier: string, now: number): Outcome {
    if (holderOf(identifier)) return "user_already_exists";
    return isReserved(identifier, now) ? "identifier_replaced" : "ok";
  }

  function prove(session: ModelSession, identifier: string, now: number): Outcome {
    if (!isLive(session, now)) return "token_not_valid";
    if (holderOf(identifier) !== session.account) return "invalid_token";
    session.provedAt = now;
    session.provedBy = kindOf(identifier) === "email" ? "EMAIL" : "PHONE";
    return "ok";
  }

  function provedByPasskey(session: ModelSession, passkeyId: string, now: number): void {
    Object.assign(session, { provedAt: now, provedBy: "PASSKEY", passkeyId });
  }

  /**
   * Why the session may not set the identifier of this kind to the value (null removes it); `ok` if it may, or if that
   * is the value already.
   */
  function obstacleTo(session: ModelSession, kind: Kind, value: string | null, now: number): Outcome {
    const { account } = session;
    if (!isLive(session, now)) return "token_not_valid";
    if (account[kind] === value) return "ok";
    if (!isProved(session, now)) return "reauthentication_required";
    const today = changes.filter((each) => each.account === account && now < each.at + DAY);
    if (today.length >= 5) return "rate_limit_exceeded";
    if (value === null) return waysIn(account) > 1 ? "ok" : "last_sign_in_method";
    if (holderOf(value)) return "user_already_exists";
    return isReserved(value, now, account) ? "identifier_replaced" : "ok";
  }

  function change(session: ModelSession, kind: Kind, value: string | null, now: number): Outcome {
    const outcome = obstacleTo(session, kind, value, now);
    const { account } = session;
    const old = account[kind];
    if (outcome !== "ok" || old === value) return outcome;
    const isOwnProof = session.provedBy === (kind === "email" ? "EMAIL" : "PHONE");
    const isSpent = changes.some(
      (each) => each.account === account && each.kind === kind && each.at >= session.provedAt,
    );
    const isProvedByOld = old !== null && isOwnProof && !isSpent;
    changes.push({ account, kind, old, at: now, isProvedByOld, outcome: undefined });
    account[kind] = value;
    if (old !== null) endSessions(account, (each) => each !== session);
    return "ok";
  }

  function dispute(identifier: string, now: number): "RESTORED" | "HELD" | Outcome {
    const lost = changes
      .filter(({ account, old, at }) => old === identifier && now < at + 7 * DAY && holderOf(identifier) !== account)
      .reverse();
    const disputed = lost.find(({ account, outcome }) => outcome === undefined && account.status === "ACTIVE");
    if (!disputed) {
      const isBlocked = ({ account, outcome }: Change) => outcome !== "RESTORED" && account.status === "HELD";
      return lost.some(isBlocked) ? "account_inactive" : "not_found";
    }
    const { account } = disputed;
    const window = changes.filter(
      (each) => each.account === account && each.outcome === undefined && now < each.at + 7 * DAY,
    );
    const outcome = disputed.isProvedByOld ? "RESTORED" : "HELD";
    if (outcome === "HELD") account.status = "HELD";
    else restore(account, window, identifier);
    for (const each of window) each.outcome = outcome;
    endSessions(account);
    return outcome;
  }

  function restore(account: ModelAccount, window: Change[], identifier: string): void {
    const since = Math.min(...window.map(({ at }) => at)) - MARGIN;
    account.passkeys = account.passkeys.filter(({ addedAt }) => addedAt < since);
    if (account.linkedAt !== null && account.linkedAt >= since) account.linkedAt = null;
    for (const kind of ["email", "phone"] as const) {
      const first = window.find((each) => each.kind === kind);
      if (first) account[kind] = first.old;
    }
    // An account must keep a way to sign in; if no other is left, it gets the disputed identifier.
    if (waysIn(account) === 0) account[kindOf(identifier)] = identifier;
  }

  function addPasskey(session: ModelSession, now: number): Outcome {
    if (!isLive(session, now)) return "token_not_valid";
    return isProved(session, now) ? "ok" : "reauthentication_required";
  }

  /** Whether another passkey is within the limits of a day and of an account. */
  const hasRoomForPasskey = (account: ModelAccount, now: number) =>
    account.passkeys.length < 10 &&
    passkeyAdds.filter((each) => each.account === account && now < each.at + DAY).length < 10;

  function addedPasskey(account: ModelAccount, id: string, now: number): void {
    account.passkeys.push({ id, addedAt: now });
    passkeyAdds.push({ account, at: now });
  }

  function removePasskey(session: ModelSession, id: string, now: number): Outcome {
    const { account } = session;
    if (!isLive(session, now)) return "token_not_valid";
    if (!account.passkeys.some((passkey) => passkey.id === id)) return "not_found";
    if (!isProved(session, now)) return "reauthentication_required";
    if (waysIn(account) === 1) return "last_sign_in_method";
    account.passkeys = account.passkeys.filter((passkey) => passkey.id !== id);
    endSessions(account, (each) => each !== session && each.passkeyId === id);
    return "ok";
  }

  function link(session: ModelSession, now: number): Outcome {
    if (!isLive(session, now)) return "token_not_valid";
    if (session.account.linkedAt !== null) return "ok";
    if (!isProved(session, now)) return "reauthentication_required";
    session.account.linkedAt = now;
    return "ok";
  }

  function unlink(session: ModelSession, now: number): Outcome {
    const { account } = session;
    if (!isLive(session, now)) return "token_not_valid";
    if (account.linkedAt === null) return "not_found";
    if (!isProved(session, now)) return "reauthentication_required";
    if (waysIn(account) === 1) return "last_sign_in_method";
    account.linkedAt = null;
    endSessions(account, (each) => each !== session && each.method === "GOOGLE");
    return "ok";
  }

  function remove(session: ModelSession, now: number): Outcome {
    const { account } = session;
    if (!isLive(session, now)) return "token_not_valid";
    if (!isProved(session, now)) return "reauthentication_required";
    Object.assign(account, { email: null, phone: null, linkedAt: null, passkeys: [], status: "DELETED" });
    endSessions(account);
    // The former identifiers of a deleted account are free at once.
    for (const each of changes) if (each.account === account) each.old = null;
    return "ok";
  }

  return Object.assign(state, {
    isLive,
    isProved,
    holderOf,
    waysIn,
    created,
    opened,
    login,
    register,
    prove,
    provedByPasskey,
    change,
    dispute,
    addPasskey,
    hasRoomForPasskey,
    addedPasskey,
    removePasskey,
    link,
    unlink,
    remove,
  });
}

export type IdentityModel = ReturnType<typeof newIdentityModel>;
