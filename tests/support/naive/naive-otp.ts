import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Typical naive one-time codes in KV: read, decide, write. Correct only without concurrency and with fresh KV; the race
// tests must catch each of these.

const json = (body: unknown, status = 200) => Response.json(body, { status });

async function identifierAndOtp(request: Request) {
  return (await request.clone().json()) as { identifier: string; otp?: string };
}

/** Reads the attempts from D1, compares with the code in KV, counts the attempt, and deletes a code that was right. */
export const naiveVerify: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/otp/verify")) return realHandler(request, env, context);
  const { identifier, otp } = await identifierAndOtp(request);
  const newest = await env.DB.prepare(
    "select cid, attempts_other from otp_challenges where identifier = ? order by cid desc limit 1",
  )
    .bind(identifier)
    .first<{ cid: string; attempts_other: number }>();
  if (!newest || newest.attempts_other >= 5) return json({ success: false }, 429);
  const code = await env.KV.get(`naive:${identifier}`);
  await env.DB.prepare("update otp_challenges set attempts_other = attempts_other + 1 where cid = ?")
    .bind(newest.cid)
    .run();
  if (otp !== code) return json({ success: false }, 400);
  const verification_token = crypto.randomUUID();
  await env.DB.prepare(
    `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, created_at, expires_at,
      attempts_familiar, attempts_other, consumed_network) values ('0' || ?, ?, '', 1, 'other', '', '', 0, 0, 0, 0, '')`,
  )
    .bind(verification_token, identifier)
    .run();
  await env.KV.delete(`naive:${identifier}`);
  return json({ success: true, data: { verification_token } });
};

/** Checks in KV whether a code was sent recently, and sends one if not. */
export const naiveRequest: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/otp/request")) return realHandler(request, env, context);
  const { identifier } = await identifierAndOtp(request);
  if (await env.KV.get(`naive-sent:${identifier}`)) return json({ success: false }, 429);
  await env.KV.put(`naive-sent:${identifier}`, "1", { expirationTtl: 60 });
  const id = newId();
  await env.DB.prepare("insert into local_outbox values (?, 'sms', ?, '', null, 0)").bind(id, identifier).run();
  return json({ success: true, data: { expires_in: 300 } });
};

/** Both together. */
export const naiveOtp: FetchHandler = (request, env, context) =>
  request.url.endsWith("/otp/request") ? naiveRequest(request, env, context) : naiveVerify(request, env, context);
