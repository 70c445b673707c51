import { decodeJwt } from "jose";
import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Typical naive rules for passkeys of staff: read whether the caller may act, and then act. Correct only without
// concurrency; the race tests must catch each of these.

const answer = (status: number, body: object = { success: status < 300, data: {} }) => Response.json(body, { status });
const refusal = (status: number, code: string) => answer(status, { success: false, error: { code } });

const callerOf = (request: Request) => {
  const { sub, sid } = decodeJwt(request.headers.get("authorization")?.slice("Bearer ".length) ?? "");
  return { userId: String(sub), sessionId: String(sid) };
};

/** Reads the caller's role and proof, and then writes the note. */
export const naiveNote: FetchHandler = async (request, env, context) => {
  const { pathname } = new URL(request.url);
  if (!pathname.endsWith("/notes")) return realHandler(request, env, context);
  const { userId, sessionId } = callerOf(request);
  const found = await env.DB.prepare(
    `select 1 from sessions s join users u on u.id = s.user_id where s.id = ? and s.revoked_at is null
      and s.passkey_at is not null and u.role <> 'user'`,
  )
    .bind(sessionId)
    .first();
  if (!found) return refusal(403, "passkey_required");
  const { text } = (await request.json()) as { text: string };
  await env.DB.prepare(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, new_values, actor_id, by_staff, created_at)
      values (?1, ?2, 'CREATE', 'note', ?1, json_object('text', ?3), ?4, 1, 0)`,
  )
    .bind(newId(), pathname.split("/").at(-2), text, userId)
    .run();
  return answer(201);
};

interface Registration {
  id: string;
}

/** Reads the enrolment window, adds the passkey, and closes the window last. */
export const naiveEnrolment: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/auth/passkeys")) return realHandler(request, env, context);
  const { userId } = callerOf(request);
  const { credential } = (await request.json()) as { credential: Registration };
  const known = await env.DB.prepare("select id from passkeys where credential_id = ?")
    .bind(credential.id)
    .first<{ id: string }>();
  if (known) return answer(201, { success: true, data: known });
  const open = await env.DB.prepare("select 1 from users where id = ? and passkey_enrolment_until is not null")
    .bind(userId)
    .first();
  if (!open) return refusal(403, "passkey_required");
  const id = newId();
  await env.DB.prepare(
    `insert or ignore into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced, created_at)
      values (?1, ?2, ?3, '', 0, '', 1, 1, 0)`,
  )
    .bind(id, userId, credential.id)
    .run();
  await env.DB.prepare(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, actor_id, by_staff, created_at)
      values (?1, ?2, 'CREATE', 'passkey', ?1, ?2, 0, 0)`,
  )
    .bind(id, userId)
    .run();
  await env.DB.prepare("update users set passkey_enrolment_until = null where id = ?").bind(userId).run();
  return answer(201, { success: true, data: { id } });
};

/** Counts the passkeys, and then removes one. */
export const naivePasskeyRemoval: FetchHandler = async (request, env, context) => {
  if (request.method !== "DELETE") return realHandler(request, env, context);
  const { userId } = callerOf(request);
  const id = new URL(request.url).pathname.split("/").at(-1) ?? "";
  const found = await env.DB.prepare(
    "select (select count(*) from passkeys where user_id = ?1) as n, exists (select 1 from passkeys where id = ?2) as own",
  )
    .bind(userId, id)
    .first<{ n: number; own: number }>();
  if (!found?.own) return refusal(404, "not_found");
  if (found.n < 2) return refusal(409, "last_sign_in_method");
  await env.DB.prepare("delete from passkeys where id = ?").bind(id).run();
  return answer(200);
};
