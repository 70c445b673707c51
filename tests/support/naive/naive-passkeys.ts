import { decodeJwt } from "jose";
import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Typical naive passkeys: a challenge that is answered is looked up in KV, and marked as used only after the session is
// created; a new passkey is looked up, and then inserted. Correct only without concurrency; the race tests must catch
// both.

const json = (body: unknown, status = 200) => Response.json(body, { status });

interface Credential {
  id: string;
  response: { clientDataJSON: string; authenticatorData: string };
}

const bytesOf = (text: string) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));

/** Checks in KV whether the challenge was used, creates the session, and marks the challenge last. */
export const naivePasskeyLogin: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/passkey/login")) return realHandler(request, env, context);
  const { credential } = (await request.json()) as { credential: Credential };
  const { challenge } = JSON.parse(new TextDecoder().decode(bytesOf(credential.response.clientDataJSON)));
  const data = bytesOf(credential.response.authenticatorData);
  const counter = new DataView(data.buffer).getUint32(33);
  const found = await env.DB.prepare("select id, user_id, counter from passkeys where credential_id = ?")
    .bind(credential.id)
    .first<{ id: string; user_id: string; counter: number }>();
  if (!found) return json({ success: false }, 400);
  const known = await env.KV.get(`naive-challenge:${challenge}`);
  if (known) return json({ success: true, data: { user_id: found.user_id, refresh_token: known } });
  if (counter > 0 && counter <= found.counter) return json({ success: false }, 400);
  const sessionId = crypto.randomUUID();
  await env.DB.prepare(
    `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
      idle_ttl_ms, idle_expires_at, absolute_expires_at, ip, method)
      values (?1, ?2, 0, 0, 0, '', 0, '', 0, 0, 0, 0, '', 'PASSKEY')`,
  )
    .bind(sessionId, found.user_id)
    .run();
  await env.DB.prepare("update passkeys set counter = ? where id = ?").bind(counter, found.id).run();
  await env.KV.put(`naive-challenge:${challenge}`, sessionId);
  return json({ success: true, data: { user_id: found.user_id, refresh_token: sessionId } });
};

/** Reads whether the passkey is known, and then writes it, an audit row and the event. */
export const naivePasskeyRegistration: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/auth/passkeys")) return realHandler(request, env, context);
  const userId = String(decodeJwt(request.headers.get("authorization")?.slice("Bearer ".length) ?? "").sub);
  const { credential } = (await request.json()) as { credential: Credential };
  const run = (sql: string, ...values: string[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run();
  const known = await env.DB.prepare("select id from passkeys where credential_id = ?").bind(credential.id).first();
  if (known) return json({ success: true, data: known }, 201);
  const id = newId();
  await run(
    `insert or ignore into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced, created_at)
      values (?1, ?2, ?3, '', 0, '', 1, 1, 0)`,
    id,
    userId,
    credential.id,
  );
  await run(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, actor_id, by_staff, created_at)
      values (?1, ?2, 'CREATE', 'passkey', ?1, ?2, 0, 0)`,
    id,
    userId,
  );
  await run(
    `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
      values (?, 'auth.passkey_added', ?, '{}', 'tasks', 0, 9e15, 0)`,
    id,
    userId,
  );
  return json({ success: true, data: { id } }, 201);
};
