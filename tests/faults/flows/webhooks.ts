import { fakeInternet } from "../../support/internet.ts";
import { heldTasks, runTasks } from "../../support/tasks.ts";
import { type Flow, type Run, traceless } from "../flow-table.ts";
import { newUser } from "../people.ts";
import { message, userId } from "./tasks.ts";

const HOOK = "https://crm.example.org";
const WEBHOOKS = JSON.stringify([
  { url: `${HOOK}/in`, secrets: [`whsec_${btoa("canary-of-the-battery".padEnd(32, "."))}`] },
]);
/** A user's change, from the event to the webhook receivers. */
const webhook: Flow = {
  name: "tasks of user.updated and webhook.due",
  async open() {
    const received = fakeInternet({ [HOOK]: () => new Response(null, { status: 204 }) })[HOOK] ?? [];
    const prepare = async (): Promise<Run> => {
      const user = await newUser();
      const from = received.length;
      return {
        scope: { userIds: [user.userId] },
        messages: [message("user.updated", user.userId, userId(user))],
        async afterwards() {
          const own = received.slice(from).filter(({ body }) => body.includes(user.userId));
          const ids = new Set(own.map(({ headers }) => headers.get("webhook-id")));
          if (ids.size !== 1) throw new Error(`${ids.size} events for one change`);
        },
      };
    };
    return { env: { WEBHOOKS } as unknown as Partial<Env>, prepare };
  },
};

/** Like `webhook`, starting at the message for the endpoint. */
const webhookDue: Flow = {
  name: "task of webhook.due",
  async open() {
    const received = fakeInternet({ [HOOK]: () => new Response(null, { status: 204 }) })[HOOK] ?? [];
    const env = { WEBHOOKS } as unknown as Partial<Env>;
    const prepare = async (): Promise<Run> => {
      const user = await newUser();
      const tasks = heldTasks();
      const { body } = message("user.updated", user.userId, userId(user));
      await runTasks([body], { ...env, ...tasks.env });
      const due = tasks.take(user.userId, "webhook.due");
      return {
        scope: { userIds: [user.userId] },
        messages: due.map((each) => ({ queue: "tasks", body: each })),
        async afterwards() {
          const own = received.filter(({ body: sent }) => sent.includes(user.userId));
          const ids = new Set(own.map(({ headers }) => headers.get("webhook-id")));
          if (ids.size !== 1) throw new Error(`${ids.size} events for one change`);
        },
      };
    };
    return { env, prepare };
  },
};

export const webhookFlows = [webhook, traceless(webhookDue)];
