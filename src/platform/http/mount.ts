import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { AppEnv } from "./app-env.ts";
import type { GuardedEndpoint } from "./endpoint.ts";
import { deferDescription, describe } from "./openapi.ts";

/** Mounts the endpoints and adds them to the OpenAPI document. */
export function mount(app: OpenAPIHono<AppEnv>, base: string, endpoints: GuardedEndpoint[]): void {
  for (const each of endpoints) {
    deferDescription(app, () => describe(base, each));
    app.on([each.spec.method.toUpperCase()], [base + pathOf(each.spec)], ...each.handlers);
  }
}

/**
 * Path in the router's syntax. An id parameter matches only characters of a UUID, so that it does not shadow other
 * routes.
 */
function pathOf({ path, params }: GuardedEndpoint["spec"]): string {
  const isId = (name: string) => params instanceof z.ZodObject && params.shape[name] instanceof z.ZodUUID;
  return path.replaceAll(/\{(.+?)\}/g, (_, name: string) => (isId(name) ? `:${name}{[0-9a-fA-F-]+}` : `:${name}`));
}
