import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Typical naive one-time codes in KV: read, decide, write. Correct only without concurrency and with fresh KV; the race
// tests must catch each of these.

const json = (body: unknown, status = 200) => Response.json(body, { status });

async function identifierAndOtp(request: Request) {
  return (await request.clone().json()) as { identifier: string; otp?: string };
}

/** Counts attempts in D1, compares with the code in KV, and invalidates the code by deleting it there. */
export const naiveVerify: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/otp/verify")) return realHandler(request, env, context);
  const { identifier, otp } = await identifierAndOtp(request);
  const counter = `naive ${identifier}`;
  const read = env.DB.prepare("select guesses from network_guess_limits where network = ?").bind(counter);
  const tries = Number(await read.first("guesses"));
  if (tries >= 5) return json({ success: false }, 429);
  await env.DB.prepare("insert or replace into network_guess_limits values (?, 0, ?)")
    .bind(counter, tries + 1)
    .run();
  const code = await env.KV.get(`naive:${identifier}`);
  if (otp !== code) return json({ success: false }, 400);
  const verification_token = crypto.randomUUID();
  await env.DB.prepare("insert into verification_tokens values (?1, ?1, '', ?2, '', 0, 0, null, null, null, null)")
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
  const id = crypto.randomUUID();
  await env.DB.prepare("insert into local_outbox values (?, 'sms', ?, '', null, 0)").bind(id, identifier).run();
  return json({ success: true, data: { expires_in: 300 } });
};

/** Both together. */
export const naiveOtp: FetchHandler = (request, env, context) =>
  request.url.endsWith("/otp/request") ? naiveRequest(request, env, context) : naiveVerify(request, env, context);
