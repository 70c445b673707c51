import { app } from "./app.ts";
import { buildDeps } from "./platform/deps.ts";
import { consumeBatch, keepDeadLetters } from "./tasks/consume.ts";
import { runMinuteTick } from "./tasks/schedule.ts";

export default {
  fetch: app.fetch,
  async queue(batch, env, context) {
    const deps = await buildDeps(env, context, `queue-${batch.queue}`);
    await (batch.queue.endsWith("dead-letters") ? keepDeadLetters(deps, batch) : consumeBatch(deps, batch));
  },
  async scheduled(controller, env, context) {
    await runMinuteTick(await buildDeps(env, context, `cron-${controller.scheduledTime}`));
  },
} satisfies ExportedHandler<Env>;
