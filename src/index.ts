import { app } from "./app.ts";
import { buildDeps } from "./platform/deps.ts";
import { consumeBatch } from "./tasks/consume.ts";
import { runMinuteTick } from "./tasks/schedule.ts";

export default {
  fetch: app.fetch,
  async queue(batch, env, context) {
    await consumeBatch(await buildDeps(env, context, `queue-${batch.queue}`), batch);
  },
  async scheduled(controller, env, context) {
    await runMinuteTick(await buildDeps(env, context, `cron-${controller.scheduledTime}`));
  },
} satisfies ExportedHandler<Env>;
