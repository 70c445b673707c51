import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { buildDeps } from "../../src/build-deps.ts";
import { recordFromCaller } from "../../src/events/intake.service.ts";
import { AppError } from "../../src/platform/http/errors.ts";
import { type Answer, type CallOptions, call, newIp, newPhone, testEnv } from "../support/client.ts";
import type { Directory, Key } from "./directory.ts";
import type { Router } from "./router.ts";

/** What the person uses: the router of their calls, and where codes arrive. */
export interface Service {
  router: Router;
  directory: Directory;
  homes: readonly D1Database[];
  random: () => number;
}

interface PointsEvent {
  id: string;
  delta: number;
}

/** A person who uses the service while their account moves, and remembers what it has confirmed. */
export class Person {
  readonly phone = newPhone();
  userId = "";
  access = "";
  /** The newest refresh token of each session. */
  readonly refreshTokens: string[] = [];
  /** Addresses of confirmed changes of the profile. */
  readonly addresses: string[] = [];
  /** Confirmed events. */
  readonly events = new Map<string, PointsEvent>();
  /** Answers that the person should not have got. */
  readonly complaints: string[] = [];
  /** Codes that were asked for during a move and wait for the tick of the new home. */
  lateCodes = 0;
  signIns = 0;
  private changes = 0;
  private readonly service: Service;
  /** A refresh or sign-in is under way; as in an app, there is one at a time. */
  private isBusy = false;
  private renewal: Promise<void> | undefined;

  constructor(service: Service) {
    this.service = service;
  }

  /** Creates the account in the first home. */
  async register(): Promise<void> {
    const data = await this.enter("register", 201);
    if (!data) throw new Error(`no account: ${this.complaints.join("; ")}`);
    this.userId = data.user_id;
    await this.service.directory.add(this.userId, "first", [{ user: this.userId }, { identifier: this.phone }]);
  }

  /** Does one thing; resolves when it is answered. @param onWait called when the first call has to wait. */
  async act(onWait = () => {}): Promise<void> {
    const choice = this.service.random();
    if (choice < 0.4 || this.isBusy) return this.changeAddress(onWait);
    if (choice < 0.7) return this.earnPoints(onWait);
    this.isBusy = true;
    await (choice < 0.93 ? this.refresh(onWait) : this.signIn(onWait));
    this.isBusy = false;
  }

  async changeAddress(onWait = () => {}): Promise<void> {
    this.changes += 1;
    const address = `House ${this.changes}`;
    const change = () =>
      this.call(
        { user: this.userId },
        "PATCH",
        "/api/users/profile",
        { json: { address }, token: this.access },
        onWait,
      );
    let answer = await change();
    // A run may take longer than an access token lives.
    if (answer.status === 401) {
      await this.renew();
      answer = await change();
    }
    if (this.expect(answer, 200, "profile")) this.addresses.push(address);
  }

  /** Reports an event to the service, or once more one that it has confirmed. */
  async earnPoints(onWait = () => {}): Promise<void> {
    const known = [...this.events.values()];
    const again = this.service.random() < 0.3 ? known[Math.floor(this.service.random() * known.length)] : undefined;
    const event = again ?? { id: crypto.randomUUID(), delta: 1 + Math.floor(this.service.random() * 9) };
    const answer = await this.service.router.run({ user: this.userId }, (db) => this.report(db, event), onWait);
    if (answer.status === 200) this.events.set(event.id, event);
    else this.complaints.push(`event: ${answer.status}`);
  }

  private async report(db: D1Database, { id, delta }: PointsEvent): Promise<{ status: number }> {
    const context = createExecutionContext();
    const deps = await buildDeps({ ...testEnv, DB: db }, context, "homes");
    const event = {
      ...{ id, type: "points.changed", source: "rentals", user_id: this.userId },
      ...{ occurred_at: new Date().toISOString(), data: { delta, reason: "ride", reference: id } },
    };
    try {
      const { accepted } = await recordFromCaller(deps, { caller: "rentals" }, event);
      return { status: accepted ? 200 : 422 };
    } catch (error) {
      if (error instanceof AppError && error.code === "service_unavailable") return { status: 503 };
      throw error;
    } finally {
      await waitOnExecutionContext(context);
    }
  }

  private async refresh(onWait = () => {}): Promise<void> {
    const at = Math.floor(this.service.random() * this.refreshTokens.length);
    await this.refreshAt(at, onWait);
  }

  /** Gets a new access token, as an app does once the old one has expired; one call serves all who wait. */
  private renew(): Promise<void> {
    this.renewal ??= this.refreshAt(this.refreshTokens.length - 1).finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private async refreshAt(at: number, onWait = () => {}): Promise<void> {
    const options = { json: { refresh_token: this.refreshTokens[at] } };
    const answer = await this.call({ user: this.userId }, "POST", "/api/auth/refresh", options, onWait);
    if (!this.expect(answer, 200, "refresh")) return;
    this.access = answer.body.data.access;
    this.refreshTokens[at] = answer.body.data.refresh;
  }

  /** Refreshes every session once more. */
  async refreshAll(): Promise<void> {
    for (const at of this.refreshTokens.keys()) await this.refreshAt(at);
  }

  private async signIn(onWait = () => {}): Promise<void> {
    // The limit of codes per identifier does not allow more.
    if (this.signIns >= 1) return this.refresh(onWait);
    this.signIns += 1;
    await this.enter("login", 200, onWait);
  }

  /** Asks for a code, verifies it and enters the account; undefined if there was a complaint or no code yet. */
  private async enter(route: "register" | "login", status: number, onWait = () => {}) {
    const key = { identifier: this.phone };
    const ip = newIp();
    const post = (name: string, json: object, onWait = () => {}) =>
      this.call(key, "POST", `/api/auth/${name}`, { json: { identifier: this.phone, ...json }, ip }, onWait);
    if (!this.expect(await post("otp/request", {}, onWait), 200, "request")) return undefined;
    const otp = await this.readCode();
    if (otp === undefined) {
      this.lateCodes += 1;
      return undefined;
    }
    const verified = await post("otp/verify", { otp });
    if (!this.expect(verified, 200, "verify")) return undefined;
    const { verification_token } = verified.body.data;
    const entered = await post(route, { verification_token });
    if (!this.expect(entered, status, route)) return undefined;
    const { data } = entered.body;
    this.access = data.access_token;
    this.refreshTokens.push(data.refresh_token);
    return data;
  }

  /** The newest code that arrived; the message may have been recorded in either home. */
  private async readCode(): Promise<string | undefined> {
    const found = await Promise.all(
      this.service.homes.map((home) =>
        home
          .prepare("select id, code, created_at from local_outbox where recipient = ? order by created_at desc")
          .bind(this.phone)
          .all<{ id: string; code: string; created_at: number }>(),
      ),
    );
    const codes = new Map(found.flatMap(({ results }) => results.map((row) => [row.id, row] as const)));
    const wanted = this.refreshTokens.length === 0 ? 1 : 2;
    if (codes.size < wanted) return undefined;
    return [...codes.values()].toSorted((a, b) => b.created_at - a.created_at)[0]?.code;
  }

  private call(key: Key, method: string, path: string, options: CallOptions, onWait = () => {}): Promise<Answer> {
    const ip = options.ip ?? newIp();
    return this.service.router.run(key, (db) => call(method, path, { ...options, ip, env: { DB: db } }), onWait);
  }

  private expect(answer: Answer, status: number, what: string): boolean {
    if (answer.status === status) return true;
    this.complaints.push(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return false;
  }
}
