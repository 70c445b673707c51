import { decodeJwt } from "jose";
import { jpeg } from "../documents.ts";
import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// A typical naive KYC: read, decide, write; the row first, then the file, and the old file deleted at once. Correct
// only without concurrency; the race tests must catch it.

const json = (body: unknown, status = 200) => Response.json(body, { status });

interface Row {
  id: string;
  status: string;
  version: number;
  front_document_id: string;
}

export const naiveKyc: FetchHandler = async (request, env, context) => {
  const { pathname } = new URL(request.url);
  const { sub } = decodeJwt((request.headers.get("authorization") ?? "").slice(7)) as { sub: string };
  const read = (userId: string) => env.DB.prepare("select * from kyc where user_id = ?").bind(userId).first<Row>();
  if (request.method === "POST" && pathname === "/api/users/kyc") {
    const row = await read(sub);
    if (row?.status === "APPROVED") return json({ success: false }, 409);
    const id = crypto.randomUUID();
    const key = `kyc/${sub}/${id}`;
    await env.DB.prepare(
      "insert into kyc_documents (id, user_id, side, object_key, content_type, size_bytes, state, created_at) values (?, ?, 'front', ?, 'image/jpeg', 1, 'live', ?)",
    )
      .bind(id, sub, key, Date.now())
      .run();
    await env.DB.prepare(
      "update kyc set status = 'PENDING', version = ?, front_document_id = ?, submitted_at = ? where user_id = ?",
    )
      .bind((row?.version ?? 0) + 1, id, Date.now(), sub)
      .run();
    await env.KYC_BUCKET.put(key, jpeg());
    await env.DB.prepare("delete from kyc_documents where id = ?")
      .bind(row?.front_document_id ?? "")
      .run();
    await env.KYC_BUCKET.delete(`kyc/${sub}/${row?.front_document_id}`);
    return json({ success: true, data: {} }, 201);
  }
  const userId = /^\/api\/users\/([^/]+)\/kyc$/.exec(pathname)?.[1];
  if (request.method === "PATCH" && userId) {
    const row = await read(userId);
    if (row?.status !== "PENDING") return json({ success: false }, 409);
    const seen = await env.DB.prepare("select 1 from kyc_document_views where document_id = ? and viewer_id = ?")
      .bind(row.front_document_id, sub)
      .first();
    if (!seen) return json({ success: false }, 409);
    await env.DB.prepare("update kyc set status = 'APPROVED', verified_at = 1 where user_id = ?").bind(userId).run();
    return json({ success: true, data: { version: row.version } });
  }
  return realHandler(request, env, context);
};

/** Looks up in KV whether the key was used, and stores the response under the key afterwards. */
export const naiveKeyedSubmission: FetchHandler = async (request, env, context) => {
  const { sub } = decodeJwt((request.headers.get("authorization") ?? "").slice("Bearer ".length));
  const key = `naive-key:${sub}:${request.headers.get("idempotency-key")}`;
  const known = await env.KV.get(key);
  if (known) return json(JSON.parse(known), 201);
  const unkeyed = new Request(request);
  unkeyed.headers.delete("idempotency-key");
  const answer = await realHandler(unkeyed, env, context);
  if (answer.status === 201) await env.KV.put(key, await answer.clone().text());
  return answer;
};

/** Reads who has approved and who has looked, and then writes the approval that this calls for. */
export const naiveApproval: FetchHandler = async (request, env, context) => {
  const userId = /^\/api\/users\/([^/]+)\/kyc$/.exec(new URL(request.url).pathname)?.[1];
  if (request.method !== "PATCH" || !userId) return realHandler(request, env, context);
  const { status } = (await request.clone().json()) as { status: string };
  if (status !== "APPROVED") return realHandler(request, env, context);
  const { sub } = decodeJwt((request.headers.get("authorization") ?? "").slice(7)) as { sub: string };
  const row = await env.DB.prepare("select * from kyc where user_id = ?")
    .bind(userId)
    .first<Row & { first_approved_by: string | null }>();
  const seen = await env.DB.prepare("select 1 from kyc_document_views where document_id = ? and viewer_id = ?")
    .bind(row?.front_document_id ?? "", sub)
    .first();
  if (row?.status !== "PENDING" || !seen || row.first_approved_by === sub) return json({ success: false }, 409);
  const isSecond = row.first_approved_by !== null;
  const write = isSecond
    ? "update kyc set status = 'APPROVED', verified_at = 1 where user_id = ?2"
    : "update kyc set first_approved_by = ?1, first_approved_at = 1 where user_id = ?2";
  await env.DB.prepare(isSecond ? write.replace("?2", "?1") : write)
    .bind(...(isSecond ? [userId] : [sub, userId]))
    .run();
  await env.DB.prepare(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, actor_id, by_staff, created_at, old_values, new_values)
      values (?1, ?2, 'UPDATE', 'kyc', 'x', ?3, 1, 0, json_object('first_approved_by', ?4, 'version', ?5),
        (select json_object('status', status, 'document_front', front_document_id, 'version', version) from kyc where user_id = ?2))`,
  )
    .bind(newId(), userId, sub, row.first_approved_by, row.version)
    .run();
  return json({ success: true, data: { status: isSecond ? "APPROVED" : "PENDING" } });
};
