import { WorkerEntrypoint } from "cloudflare:workers";
import { Hono } from "hono";
import { base64url, CompactSign, importJWK, type JWK, jwtVerify } from "jose";
import { deriveHmacKey } from "../../src/platform/crypto.ts";
import type { CapturedRoutes } from "./routes/capture.ts";

// The baseline of the hot routes: a bare Hono Worker that does the least for the same response and checks only the
// token. It sends the statements captured from the real routes in one batch. Refresh also reads KV, as the denylist
// requires, beside the batch.

interface Settings {
  ISSUER: string;
  AUDIENCE: string;
  ACCESS_TOKEN_KEYS: string;
  TOKEN_SECRETS: string;
  /** JSON of `CapturedRoutes`. */
  STATEMENTS: string;
  DB: D1Database;
  KV: KVNamespace;
}

type Row = Record<string, unknown>;
type Keys = Awaited<ReturnType<typeof importKeys>>;

let imported: Promise<Keys> | undefined;

async function importKeys(env: Settings) {
  const [access] = JSON.parse(env.ACCESS_TOKEN_KEYS) as [JWK & { kid: string; x: string }];
  const [refresh] = JSON.parse(env.TOKEN_SECRETS) as [{ kid: string; secret: string }];
  const { kid, kty, crv, x } = access;
  return {
    kid,
    signing: await importJWK(access, "EdDSA"),
    verifying: await importJWK({ kid, kty, crv, x } as JWK, "EdDSA"),
    refresh: await deriveHmacKey(base64url.decode(refresh.secret), "refresh-token"),
    statements: JSON.parse(env.STATEMENTS) as CapturedRoutes,
  };
}

function keysOf(env: Settings): Promise<Keys> {
  imported ??= importKeys(env);
  return imported;
}

const encoder = new TextEncoder();

async function sign(env: Settings, keys: Keys, session: Row) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { user_id: session.user_id, sid: session.id };
  const token = (kind: Row, alg: string, seconds: number) => {
    const payload = {
      ...claims,
      ...kind,
      iss: env.ISSUER,
      aud: env.AUDIENCE,
      sub: session.user_id,
      jti: crypto.randomUUID(),
      iat: now,
      exp: now + seconds,
    };
    return new CompactSign(encoder.encode(JSON.stringify(payload))).setProtectedHeader({ alg, kid: keys.kid });
  };
  const [access, refresh] = await Promise.all([
    token({ token_type: "access" }, "EdDSA", 900).sign(keys.signing),
    token({ token_type: "refresh", counter: session.counter }, "HS256", 5_000_000).sign(keys.refresh),
  ]);
  return { access, refresh };
}

/** Runs a route's statements as one batch and returns the rows of each. */
async function run(env: Settings, texts: readonly string[], params: readonly unknown[][]): Promise<Row[][]> {
  const batch = texts.map((text, i) => env.DB.prepare(text).bind(...(params[i] ?? [])));
  return (await env.DB.batch<Row>(batch)).map(({ results }) => results);
}

const bearer = (header: string | undefined) => header?.replace("Bearer ", "") ?? "";
const app = new Hono<{ Bindings: Settings }>();

app.get("/api/auth/me", async (c) => {
  const keys = await keysOf(c.env);
  const { issuer, audience } = { issuer: c.env.ISSUER, audience: c.env.AUDIENCE };
  const checks = { issuer, audience, algorithms: ["EdDSA"] };
  const { payload } = await jwtVerify(bearer(c.req.header("authorization")), keys.verifying, checks);
  const { sub, sid } = payload;
  const given: Row = { $user: sub, $session: sid, $now: Date.now() };
  const values = keys.statements.meParams.map((value) => given[String(value)] ?? value);
  const [row] = (
    await c.env.DB.prepare(keys.statements.texts.me[0] ?? "")
      .bind(...values)
      .all<Row>()
  ).results;
  if (!row) return c.json({ success: false }, 401);
  return c.json({ success: true, message: "Your account.", data: row });
});

app.post("/api/auth/refresh", async (c) => {
  const keys = await keysOf(c.env);
  const body = await c.req.json<{ refresh_token: string; params: unknown[][] }>();
  const checks = { issuer: c.env.ISSUER, audience: c.env.AUDIENCE, algorithms: ["HS256"] };
  await jwtVerify(body.refresh_token, keys.refresh, checks);
  const sent = run(c.env, keys.statements.texts.refresh, body.params);
  await c.env.KV.get(`deny:${crypto.randomUUID()}`);
  const session = (await sent).flat().find((row) => "refresh_key_id" in row);
  if (!session) return c.json({ success: false }, 401);
  const { access, refresh } = await sign(c.env, keys, session);
  const data = { access, refresh, token_type: "Bearer", expires_in: 900 };
  return c.json({ success: true, message: "Refreshed", data, access, refresh });
});

export default app;

// Entry points that the other services of `server.ts` bind to.
export class PlatformEvents extends WorkerEntrypoint {}
export class TokenVerifier extends WorkerEntrypoint {}
