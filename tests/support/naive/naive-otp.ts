import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// One-time codes as they are often written for KV: read, decide, write. The races must catch every one of these.

const json = (body: unknown, status = 200) => Response.json(body, { status });

/** Counts tries in KV and burns the code by deleting it there. */
export const naiveVerify: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/otp/verify")) return realHandler(request, env, context);
  const { identifier, otp } = (await request.json()) as { identifier: string; otp: string };
  const tries = Number(
    await env.DB.prepare("select guesses from network_guess_limits where network = ?")
      .bind(`naive ${identifier}`)
      .first("guesses"),
  );
  if (tries >= 10) return json({ success: false }, 429);
  const code = await env.KV.get(`naive:${identifier}`);
  await env.DB.prepare("insert or replace into network_guess_limits values (?, 0, ?)")
    .bind(`naive ${identifier}`, tries + 1)
    .run();
  if (otp !== code) return json({ success: false }, 400);
  const verification_token = crypto.randomUUID();
  await env.DB.prepare("insert into verification_tokens values (?1, ?1, '', ?2, '', 0, 0, null, null, null, null)")
    .bind(verification_token, identifier)
    .run();
  await env.KV.delete(`naive:${identifier}`);
  return json({ success: true, data: { verification_token } });
};

/** Looks in KV whether a code was sent lately, and sends one if not. */
export const naiveRequest: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/otp/request")) return realHandler(request, env, context);
  const { identifier } = (await request.json()) as { identifier: string };
  if (await env.KV.get(`naive-sent:${identifier}`)) return json({ success: false }, 429);
  await env.KV.put(`naive-sent:${identifier}`, "1", { expirationTtl: 60 });
  await env.OTP_QUEUE.sendBatch([{ body: { identifier } }]);
  return json({ success: true, data: { expires_in: 300 } });
};
