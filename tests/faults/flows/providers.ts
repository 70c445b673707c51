import { exportPKCS8, generateKeyPair } from "jose";
import { newIp, newPhone } from "../../support/client.ts";
import { newId } from "../../support/ids.ts";
import { FALLBACK, fakeInternet, fallback, SPARROW, sparrow, sparrowRefusal } from "../../support/internet.ts";
import { closeBreakers, providerVars } from "../../support/production.ts";
import { requestAndKeep } from "../../support/queue.ts";
import type { Flow, Run } from "../flow-table.ts";
import { must, newUser, sql } from "../people.ts";

/** Only the variables, because the simulation provides the bindings. */
const production = (changes: Record<string, string> = {}) =>
  ({ ...providerVars, ...changes }) as unknown as Partial<Env>;
const env = production();

/** A code by SMS in production with the first provider down; the second accepts it. */
const failover: Flow = {
  name: "a code by the second provider",
  // The effect is at the provider and not in the database.
  changesNothing: true,
  async open() {
    // After a definite refusal the message was not sent; after an unknown outcome one more attempt could be one too
    // many.
    const received = fakeInternet({ [SPARROW]: () => sparrowRefusal(1002), [FALLBACK]: fallback })[FALLBACK] ?? [];
    const prepare = async (): Promise<Run> => {
      await closeBreakers();
      const identifier = newPhone();
      const body = await requestAndKeep(identifier, env);
      return {
        scope: { identifiers: [identifier] },
        messages: [{ queue: "otp", body }],
        async afterwards() {
          const own = received.filter(({ body: sent }) => sent.includes(identifier));
          const ids = new Set(own.map(({ headers }) => headers.get("idempotency-key")));
          // One message, which may have been sent twice after an unknown outcome.
          if (ids.size !== 1 || own.length > 2) throw new Error(`${own.length} calls for ${ids.size} messages`);
        },
      };
    };
    return { env, prepare };
  },
};

/** Like `failover`, but the first provider accepts the message. */
const first: Flow = {
  name: "a code by the first provider",
  changesNothing: true,
  async open() {
    const received = fakeInternet({ [SPARROW]: sparrow })[SPARROW] ?? [];
    const prepare = async (): Promise<Run> => {
      await closeBreakers();
      const identifier = newPhone();
      const body = await requestAndKeep(identifier, env);
      return {
        scope: { identifiers: [identifier] },
        messages: [{ queue: "otp", body }],
        async afterwards() {
          const own = received.filter(({ body: sent }) => sent.includes(identifier.slice("+977".length)));
          if (own.length < 1 || own.length > 2) throw new Error(`${own.length} messages to one phone`);
        },
      };
    };
    return { env, prepare };
  },
};

/** A code that its request sends itself after the response; the first provider refuses it. */
const direct: Flow = {
  name: "otp/request in production, sent by the second provider",
  async open() {
    const received = fakeInternet({ [SPARROW]: () => sparrowRefusal(1002), [FALLBACK]: fallback })[FALLBACK] ?? [];
    const prepare = async (): Promise<Run> => {
      await closeBreakers();
      const identifier = newPhone();
      return {
        scope: { identifiers: [identifier] },
        request: { method: "POST", path: "/api/auth/otp/request", options: { ip: newIp(), json: { identifier } } },
        repeated: [429],
        async afterwards() {
          const own = received.filter(({ body: sent }) => sent.includes(identifier));
          const ids = new Set(own.map(({ headers }) => headers.get("idempotency-key")));
          if (ids.size !== 1 || own.length > 2) throw new Error(`${own.length} calls for ${ids.size} messages`);
        },
      };
    };
    return { env, prepare };
  },
};

const GOOGLE = "https://oauth2.googleapis.com";
const FCM = "https://fcm.googleapis.com";

/** A push to a device without the app: its token is removed. */
const goneDevice: Flow = {
  name: "a push to a device that is gone",
  async open() {
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const env = production({
      FCM_SERVICE_ACCOUNT: JSON.stringify({
        project_id: "power-bank",
        private_key: await exportPKCS8(privateKey),
        client_email: "push@power-bank.iam.gserviceaccount.com",
        token_uri: `${GOOGLE}/token`,
      }),
    });
    const gone = { error: { code: 404, status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } };
    fakeInternet({
      [GOOGLE]: () => Response.json({ access_token: "canary", expires_in: 3599, token_type: "Bearer" }),
      [FCM]: () => Response.json(gone, { status: 404 }),
    });
    const prepare = async (): Promise<Run> => {
      await closeBreakers();
      const user = await newUser();
      const json = { device_id: "phone", fcm_token: `push-${crypto.randomUUID()}`, device_type: "ANDROID" };
      await must("POST", "/api/auth/device", { token: user.access, json });
      const [id, now] = [newId(), Date.now()];
      await sql(
        `insert into notifications (id, user_id, notification_type, title, message, created_at)
          values (?, ?, 'TEST', 'Title', 'Words', ?)`,
        id,
        user.userId,
        now,
      );
      const payload = JSON.stringify({ notification_id: id });
      const body = {
        event_id: newId(),
        type: "push.requested",
        user_id: user.userId,
        payload,
        created_at: now,
      };
      return { scope: { userIds: [user.userId] }, messages: [{ queue: "tasks", body }] };
    };
    return { env, prepare };
  },
};

export const providerFlows = [failover, first, direct, goneDevice];
