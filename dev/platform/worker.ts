import type { PlatformEvents, TokenVerifier } from "../../src/index.ts";

// Represents the other services of the platform in development and tests; never deployed. It forwards HTTP requests the
// way those services call us: by RPC over service bindings whose props name the caller, and by queue.

interface Bindings {
  PLATFORM_EVENTS: Service<typeof PlatformEvents>;
  TOKEN_VERIFIER: Service<typeof TokenVerifier>;
  EVENT_QUEUE: Queue;
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (request.method !== "POST") return Response.json({ routes: ["POST /events", "/queue", "/tokens"] });
    const body: unknown = await request.json().catch(() => undefined);
    try {
      if (pathname === "/events") return Response.json(await env.PLATFORM_EVENTS.record(body));
      if (pathname === "/tokens") {
        const token = body instanceof Object && "token" in body ? body.token : undefined;
        return Response.json(await env.TOKEN_VERIFIER.verifyAccessToken(token));
      }
      if (pathname !== "/queue") return Response.json({ error: "no such route" }, { status: 404 });
      await env.EVENT_QUEUE.send(body);
      return Response.json({ queued: true }, { status: 202 });
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 503 });
    }
  },
} satisfies ExportedHandler<Bindings>;
