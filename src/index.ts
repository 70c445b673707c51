import { WorkerEntrypoint } from "cloudflare:workers";
import { app } from "./app.ts";
import { buildDeps } from "./build-deps.ts";
import { homeOfEvent, type Recorded, recordFromCaller } from "./events/intake.service.ts";
import { atHome } from "./platform/data/homes.ts";
import { checkTokenForOthers, type TokenAnswer } from "./sessions/token-verifier.service.ts";
import { consumeBatch, storeDeadLetters } from "./tasks/engine/consume.ts";
import { runMinuteTick } from "./tasks/engine/schedule.ts";

/** The request id of an invocation other than an HTTP request: its trigger and a random UUID. */
const requestIdOf = (trigger: string) => `${trigger}-${crypto.randomUUID()}`;

export default {
  fetch: app.fetch,
  async queue(batch, env, context) {
    const deps = await buildDeps(env, context, requestIdOf(`queue-${batch.queue}`));
    await (batch.queue.endsWith("dead-letters") ? storeDeadLetters(deps, batch) : consumeBatch(deps, batch));
  },
  async scheduled(controller, env, context) {
    const deps = await buildDeps(env, context, requestIdOf(`cron-${controller.scheduledTime}`));
    await atHome(deps, "every", runMinuteTick);
  },
} satisfies ExportedHandler<Env>;

/** RPC for services that report events. The props of their binding identify them: `{ caller = "rentals" }`. */
export class PlatformEvents extends WorkerEntrypoint<Env, { caller?: unknown }> {
  async record(event: unknown): Promise<Recorded> {
    const deps = await buildDeps(this.env, this.ctx, requestIdOf("rpc-PlatformEvents"));
    return atHome(deps, homeOfEvent(event), (home) => recordFromCaller(home, this.ctx.props, event));
  }
}

/** RPC for services that accept this service's access tokens. */
export class TokenVerifier extends WorkerEntrypoint<Env> {
  async verifyAccessToken(token: unknown): Promise<TokenAnswer> {
    return checkTokenForOthers(await buildDeps(this.env, this.ctx, requestIdOf("rpc-TokenVerifier")), token);
  }
}
