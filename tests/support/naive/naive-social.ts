import { decodeJwt } from "jose";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// A typical naive provider sign-in: check whether the credential was used, find or create the user, create the session,
// then mark the credential. Correct only without concurrency; the race tests must catch each of these.

const json = (body: unknown, status = 200) => Response.json(body, { status });

interface Found {
  user_id: string;
  email: string;
}

function tools(env: Env) {
  const run = (sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run();
  const first = <T>(sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .first<T>();
  const insertUser = (id: string, email: string | null) =>
    run(
      `insert or ignore into users (id, username, username_key, email, email_verified, phone_verified, referral_code, status,
        role, social_provider, locale, date_joined, updated_at, version)
        values (?1, ?1, ?1, ?2, 1, 0, ?1, 'ACTIVE', 'user', 'GOOGLE', 'en', 0, 0, 1)`,
      id,
      email,
    );
  const insertSession = (id: string, userId: string) =>
    run(
      `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
        idle_ttl_ms, idle_expires_at, absolute_expires_at, ip, method)
        values (?1, ?2, 0, 0, 0, '', 0, '', 0, 0, 0, 0, '', 'GOOGLE')`,
      id,
      userId,
    );
  const makeUser = async (user_id: string, email: string) => {
    await insertUser(user_id, email);
    await run(
      "insert into point_transactions (id, user_id, delta, reason, reference, created_at) values (?1, (select id from users where email = ?2), 50, ?1, '', 0)",
      user_id,
      email,
    );
    for (const [table, columns] of [
      [
        "audit_logs",
        "(id, user_id, action, entity_type, entity_id, by_staff, created_at) values (?1, ?1, 'CREATE', 'user', '', 0, 0)",
      ],
      [
        "outbox",
        "(id, type, user_id, payload, queue, created_at, leased_until, attempts) values (?1, 'user.created', ?1, '{}', 'tasks', 0, 9e15, 0)",
      ],
    ]) {
      await run(`insert into ${table} ${columns}`, user_id);
    }
  };
  return { run, first, insertUser, insertSession, makeUser };
}

/**
 * Finds or creates the user of an ID token by its address, even if the provider has no authority over it, and marks the
 * token last.
 */
export const naiveToken: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/token")) return realHandler(request, env, context);
  const { run, first, insertSession, makeUser } = tools(env);
  const { id_token } = (await request.json()) as { id_token: string };
  const { sub, email, iss } = decodeJwt(id_token) as { sub: string; email: string; iss: string };
  const used = await first<{ used_by: string; session_id: string }>(
    "select used_by, session_id from social_proofs where proof_hash = ?",
    id_token,
  );
  if (used) return json({ success: true, data: { user_id: used.used_by, refresh_token: used.session_id } });
  const linked = await first<Found>("select user_id from social_accounts where subject = ?", sub);
  const local = linked ?? (await first<Found>("select id as user_id from users where email = ?", email));
  const user_id = local?.user_id ?? crypto.randomUUID();
  if (!local) await makeUser(user_id, email);
  if (!linked) {
    await run(
      `insert or ignore into social_accounts (issuer, subject, identity_hash, provider, user_id, linked_by, created_at)
        values (?1, ?2, ?2, ?3, (select id from users where email = ?4), '', 0)`,
      iss,
      sub,
      iss.includes("apple") ? "APPLE" : "GOOGLE",
      email,
    );
  }
  const session_id = crypto.randomUUID();
  await insertSession(session_id, user_id).catch(() => undefined);
  await run(
    "insert or ignore into social_proofs (proof_hash, created_at, expires_at, used_by, session_id, is_burned) values (?1, 0, 0, ?2, ?3, 0)",
    id_token,
    user_id,
    session_id,
  );
  return json({ success: true, data: { user_id, refresh_token: session_id } });
};

/** Checks whether the address is taken, creates the user and marks the token last; providers as above. */
export const naiveWays: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/register")) return naiveToken(request, env, context);
  const { run, first, insertSession, makeUser } = tools(env);
  const { identifier } = (await request.json()) as { identifier: string };
  const token = await first<{ used_by: string | null; session_id: string }>(
    "select used_by, session_id from otp_challenges where identifier = ?",
    identifier,
  );
  if (token?.used_by) {
    return json({ success: true, data: { user_id: token.used_by, refresh_token: token.session_id } }, 201);
  }
  const taken = json({ success: false, error: { code: "user_already_exists" } }, 409);
  if (await first("select 1 from users where email = ?", identifier)) return taken;
  const user_id = crypto.randomUUID();
  const session_id = crypto.randomUUID();
  await makeUser(user_id, identifier);
  await insertSession(session_id, user_id).catch(() => undefined);
  await run(
    "update otp_challenges set used_by = ?, session_id = ? where identifier = ?",
    user_id,
    session_id,
    identifier,
  );
  return json({ success: true, data: { user_id, refresh_token: session_id } }, 201);
};

/** Refuses the sign-in if another user has the address that a provider asserts; otherwise as above. */
export const naiveAssertion: FetchHandler = async (request, env, context) => {
  if (request.url.endsWith("/token")) {
    const { id_token } = (await request.clone().json()) as { id_token: string };
    const { sub, email } = decodeJwt(id_token);
    const holder = await tools(env).first(
      "select 1 from users where email = ? and id not in (select user_id from social_accounts where subject = ?)",
      email,
      sub,
    );
    if (holder) return json({ success: false, error: { code: "user_already_exists" } }, 409);
  }
  return naiveWays(request, env, context);
};

/** Checks whether the state was used, exchanges the code, then marks the state. */
export const naiveCallback: FetchHandler = async (request, env, context) => {
  const url = new URL(request.url);
  if (!url.pathname.endsWith("/callback")) return realHandler(request, env, context);
  const { run, first } = tools(env);
  const state = url.searchParams.get("state");
  const next = (query: string) =>
    new Response(null, { status: 303, headers: { location: `https://api.example.com/?${query}` } });
  if (await first("select 1 from social_states where state_hash = ?", state)) return next("error=x");
  await fetch("https://oauth2.googleapis.com/token", { method: "POST", body: url.searchParams });
  await run("insert or ignore into social_states (state_hash, expires_at) values (?, 0)", state);
  return next("code=x");
};

/**
 * Checks whether the code was used or invalidated, creates the session, then marks the code; a wrong verifier
 * invalidates it.
 */
export const naiveSuccess: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/success")) return realHandler(request, env, context);
  const { run, first, insertUser, insertSession } = tools(env);
  const { code, code_verifier } = (await request.json()) as { code: string; code_verifier: string };
  const hash = async (text: string) =>
    btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replace(/=+$/, "");
  const proof = await hash(code);
  const row = await first<{ used_by: string; session_id: string; is_burned: number; code_challenge: string }>(
    "select used_by, session_id, is_burned, code_challenge from social_proofs where proof_hash = ?",
    proof,
  );
  if (!row || row.is_burned) return json({ success: false }, 400);
  if ((await hash(code_verifier)) !== row.code_challenge) {
    await run("update social_proofs set is_burned = 1 where proof_hash = ?", proof);
    return json({ success: false }, 400);
  }
  if (row.used_by) return json({ success: true, data: { user_id: row.used_by, refresh_token: row.session_id } });
  const session_id = crypto.randomUUID();
  await insertUser(proof, null);
  await insertSession(session_id, proof);
  await run("update social_proofs set used_by = ?, session_id = ? where proof_hash = ?", proof, session_id, proof);
  return json({ success: true, data: { user_id: proof, refresh_token: session_id } });
};
