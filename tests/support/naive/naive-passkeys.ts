import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// A typical naive passkey sign-in: a challenge that is answered is looked up in KV, and marked as used only after the
// session is created. Correct only without concurrency; the race tests must catch it.

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
