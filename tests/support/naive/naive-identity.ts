import { decodeJwt } from "jose";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Typical naive changes of one's own identity: read, decide, write, one statement after the other. Correct only without
// concurrency; the race tests must catch each of these.

const json = (status: number, code?: string) =>
  Response.json(code ? { success: false, error: { code } } : { success: true, data: {} }, { status });

const callerOf = (request: Request) =>
  String(decodeJwt(request.headers.get("authorization")?.slice("Bearer ".length) ?? "").sub);

const cidOf = (token: unknown) => String(token).split(".")[0] ?? "";

const statements = (env: Env) => ({
  run: (sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run(),
  first: <Row>(sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .first<Row>(),
});

/** Checks whether a user has the address, then consumes the token. @returns the response if there is nothing to set. */
async function lookAndUseToken(
  env: Env,
  userId: string,
  email: string | undefined,
  token: string | undefined,
): Promise<Response | undefined> {
  const { run, first } = statements(env);
  const holder = await first<{ id: string }>("select id from users where email = ?", email);
  if (holder) return holder.id === userId ? json(200) : json(409, "user_already_exists");
  const cid = cidOf(token);
  const unused = await first("select 1 from otp_challenges where cid = ? and used_by is null", cid);
  if (!unused) return json(400, "invalid_token");
  await run("update otp_challenges set used_by = 'naive', used_at = 0 where cid = ?", cid);
  return undefined;
}

/** Checks whether the address is taken, consumes the token, and then sets the address. */
export const naiveChange: FetchHandler = async (request, env, context) => {
  if (request.method !== "PUT" || !request.url.endsWith("/identity/email")) return realHandler(request, env, context);
  const { run } = statements(env);
  const { email, verification_token } = (await request.json()) as Record<string, string>;
  const userId = callerOf(request);
  const refusal = await lookAndUseToken(env, userId, email, verification_token);
  if (refusal) return refusal;
  try {
    await run("update users set email = ?, email_verified = 1 where id = ?", email, userId);
  } catch {
    return json(409, "user_already_exists");
  }
  return json(200);
};

/** Checks whether the address is reserved, then whether it is taken, then sets it; replacements go to the Worker. */
export const naiveClaim: FetchHandler = async (request, env, context) => {
  const copy = request.clone() as unknown as Request;
  if (request.method !== "PUT" || !request.url.endsWith("/identity/email")) return realHandler(request, env, context);
  const { run, first } = statements(env);
  const { email, verification_token } = (await copy.json()) as Record<string, string>;
  const userId = callerOf(request);
  const own = await first("select 1 from users where id = ? and email is not null", userId);
  if (own) return realHandler(request, env, context);
  const reserved = await first(
    "select 1 from identity_changes where old_identifier = ? and user_id <> ? and outcome is null",
    email,
    userId,
  );
  if (reserved) return json(409, "identifier_replaced");
  const refusal = await lookAndUseToken(env, userId, email, verification_token);
  if (refusal) return refusal;
  await run("update or ignore users set email = ?, email_verified = 1 where id = ?", email, userId);
  return json(200);
};

/** Counts the ways to sign in, and then removes one. */
export const naiveRemoval: FetchHandler = async (request, env, context) => {
  const { pathname } = new URL(request.url);
  if (request.method !== "DELETE") return realHandler(request, env, context);
  const { run, first } = statements(env);
  const userId = callerOf(request);
  const ways = await first<{ n: number }>(
    `select (email is not null) + (phone_number is not null)
      + (select count(*) from social_accounts where user_id = users.id)
      + (select count(*) from passkeys where user_id = users.id) as n from users where id = ?`,
    userId,
  );
  if ((ways?.n ?? 0) < 2) return json(409, "last_sign_in_method");
  if (pathname.endsWith("/email")) await run("update users set email = null where id = ?", userId);
  else if (pathname.endsWith("/phone")) await run("update users set phone_number = null where id = ?", userId);
  else if (pathname.includes("/passkeys/")) await run("delete from passkeys where user_id = ?", userId);
  else await run("delete from social_accounts where user_id = ?", userId);
  return json(200);
};

/** Checks whether the account is dormant, removes its number, and then creates the new account. */
export const naiveStartOver: FetchHandler = async (request, env, context) => {
  const copy = request.clone() as unknown as Request;
  if (!request.url.endsWith("/register")) return realHandler(request, env, context);
  const { run, first } = statements(env);
  const { identifier } = (await copy.json()) as { identifier: string };
  const holder = await first<{ id: string; last_login: number }>(
    "select id, last_login from users where phone_number = ?",
    identifier,
  );
  if (!holder || holder.last_login > 1) return json(409, "user_already_exists");
  await run("update users set phone_number = null where id = ?", holder.id);
  return realHandler(request, env, context);
};

/** Reads the change, gives the number back, and then ends the sessions. */
export const naiveDispute: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/dispute")) return realHandler(request, env, context);
  const { run, first } = statements(env);
  const { identifier } = (await request.json()) as { identifier: string };
  const change = await first<{ user_id: string; outcome: string | null }>(
    "select user_id, outcome from identity_changes where old_identifier = ?",
    identifier,
  );
  if (!change) return json(404, "not_found");
  const restored = Response.json({ success: true, data: { outcome: "RESTORED" } });
  if (change.outcome !== null) return restored;
  await run("update users set phone_number = ? where id = ?", identifier, change.user_id);
  await run("update identity_changes set outcome = 'RESTORED' where user_id = ?", change.user_id);
  const { results } = await env.DB.prepare("select id from sessions where user_id = ?")
    .bind(change.user_id)
    .all<{ id: string }>();
  for (const { id } of results) await run("update sessions set revoked_at = 1, revoked_reason = 'n' where id = ?", id);
  return restored;
};
