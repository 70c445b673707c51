import { type Answer, type CallOptions, newIp, newPhone } from "../support/client.ts";
import type { Key } from "./directory.ts";
import type { Way } from "./router.ts";
import type { Service } from "./service.ts";

/** An answer, and whether the person's sessions may have ended while the call was under way. */
export interface Reply extends Answer {
  mayBeOutdated: boolean;
}

export interface Session {
  /** The newest refresh token. */
  refresh: string;
  /** When the sign-in proved who the person is. */
  provenAt: number;
}

export interface PointsEvent {
  id: string;
  delta: number;
}

/** A person who uses the service while their account moves, and remembers what it has confirmed. */
export class Person {
  readonly service: Service;
  /** The number of the registration, which an undo brings back. */
  readonly phone: string;
  userId = "";
  access = "";
  /** When the access token was issued. */
  accessAt = 0;
  /** `current` is the index of the session that the access token belongs to. */
  readonly sessions: Session[] = [];
  current = 0;
  /** Identifiers as confirmed. */
  number: string;
  email: string | undefined;
  /** Identifiers that changes took away and that can still be taken back. */
  readonly former = new Set<string>();
  /** Identifiers that the person had and that are free again. */
  readonly freed = new Set<string>();
  /** Identifiers that went with the account. */
  readonly erased: string[] = [];
  /** Confirmed changes of identifiers, and those that were undone. */
  readonly counts = { changes: 0, undone: 0 };
  /** Addresses of confirmed changes of the profile. */
  readonly addresses: string[] = [];
  /** Confirmed events. */
  readonly events = new Map<string, PointsEvent>();
  /** Answers that the person should not have got. */
  readonly complaints: string[] = [];
  /** Codes that were asked for during a move and wait for the tick of the new home. */
  lateCodes = 0;
  /** The account is deleted. */
  isGone = false;
  /** Every session has ended, and the person has not signed in again yet. */
  isSignedOut = false;
  /** A refresh, a sign-in or a change of identifiers is under way; as in an app, there is one at a time. */
  isBusy = false;
  /** Calls that may end sessions: `now` counts those in progress, `ever` the starts and ends of all. */
  private readonly ending = { now: 0, ever: 0 };
  private readonly readCodes = new Set<string>();
  private readonly asked = new Set<string>();

  /** @param phone a number of somebody who has deleted the account; a new one by default. */
  constructor(service: Service, phone?: string) {
    this.service = service;
    this.phone = phone ?? newPhone();
    this.number = this.phone;
    if (phone !== undefined) this.asked.add(phone);
  }

  /** Creates the account in the home of the number. */
  async register(way: Way = {}): Promise<void> {
    const { directory, mover, router } = this.service;
    let verification_token: string | undefined;
    while (verification_token === undefined && this.complaints.length === 0) {
      verification_token = await this.verify(this.phone, way);
    }
    const json = { identifier: this.phone, verification_token };
    let home = router.first;
    const enter = (db: D1Database, name: string) => {
      home = name;
      return this.service.callIn(db, "POST", "/api/auth/register", { json });
    };
    const answer = await router.run({ identifier: this.phone }, enter, way);
    if (answer.status !== 201) throw new Error(`no account: ${JSON.stringify(answer.body)} ${this.complaints}`);
    this.enter(answer);
    this.userId = answer.body.data.user_id;
    for (const key of [{ user: this.userId }, { identifier: this.phone }]) await directory.add(key, home);
    await mover.confirm(this.userId);
  }

  /** Opens one more session with a code. */
  async signIn(way: Way = {}): Promise<void> {
    const verification_token = await this.verify(this.number, way);
    if (verification_token === undefined) return;
    const json = { identifier: this.number, verification_token };
    const answer = await this.call({ identifier: this.number }, "POST", "/api/auth/login", { json }, way);
    if (this.expect(answer, 200, "login")) this.enter(answer);
  }

  private enter({ body }: Answer): void {
    this.access = body.data.access_token;
    this.accessAt = Date.now();
    this.current = this.sessions.push({ refresh: body.data.refresh_token, provenAt: Date.now() }) - 1;
    this.isSignedOut = false;
  }

  /** Asks for a code and verifies it; undefined if there was a complaint or no code yet. */
  async verify(identifier: string, way: Way = {}, isShared = false): Promise<string | undefined> {
    if (this.asked.has(identifier) || isShared) await this.service.forgetSends(identifier, way);
    this.asked.add(identifier);
    const ip = newIp();
    const post = (name: string, json: object) =>
      this.call({ identifier }, "POST", `/api/auth/otp/${name}`, { json: { identifier, ...json }, ip }, way);
    const requested = await post("request", {});
    if (isShared && requested.status === 429) return undefined;
    if (!this.expect(requested, 200, "request")) return undefined;
    const otp = await this.readCode(identifier);
    if (otp === undefined) {
      this.lateCodes += 1;
      return undefined;
    }
    const verified = await post("verify", { otp });
    // Others ask for codes of a shared address too, and only the newest count.
    if (isShared && [400, 429].includes(verified.status)) return undefined;
    return this.expect(verified, 200, "verify") ? verified.body.data.verification_token : undefined;
  }

  /** The newest code that arrived; the message may have been recorded in either home. */
  private async readCode(identifier: string): Promise<string | undefined> {
    const found = await Promise.all(
      this.service.homes.map((home) =>
        home
          .prepare("select id, code, created_at from local_outbox where recipient = ? and code is not null")
          .bind(identifier)
          .all<{ id: string; code: string; created_at: number }>(),
      ),
    );
    const codes = found.flatMap(({ results }) => results).filter(({ id }) => !this.readCodes.has(id));
    for (const { id } of codes) this.readCodes.add(id);
    return codes.toSorted((a, b) => b.created_at - a.created_at)[0]?.code;
  }

  async call(key: Key, method: string, path: string, options: CallOptions, way: Way = {}): Promise<Reply> {
    const before = this.ending.ever;
    const wasSignedOut = this.isSignedOut;
    const answer = await this.service.call(key, method, path, options, way);
    const mayBeOutdated = wasSignedOut || this.ending.now > 0 || this.ending.ever !== before;
    return { ...answer, mayBeOutdated };
  }

  expect(answer: Reply, status: number, what: string): boolean {
    if (answer.status === status) return true;
    if (answer.status !== 401 || !answer.mayBeOutdated) {
      this.complaints.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return false;
  }

  /** Runs a call that may end sessions of the person. */
  async ends<T>(work: () => Promise<T>): Promise<T> {
    this.ending.now += 1;
    this.ending.ever += 1;
    try {
      return await work();
    } finally {
      this.ending.now -= 1;
      this.ending.ever += 1;
    }
  }

  /** All identifiers that are the person's or can be taken back. */
  identifiers(): string[] {
    return [this.number, ...(this.email === undefined ? [] : [this.email]), ...this.former];
  }

  /** Forgets sessions that have ended: all but the current one, or all. */
  forgetSessions(rest: "current" | "none"): void {
    const kept = this.sessions[this.current];
    this.sessions.length = 0;
    this.current = 0;
    if (rest === "current" && kept !== undefined) this.sessions.push(kept);
    this.isSignedOut = rest === "none";
  }
}
