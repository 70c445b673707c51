import { type Caller, step } from "./caller.ts";

/** Replays a stolen refresh token, and signs out. @returns what identifies the two accounts. */
export async function loseSessions({ call, readCode }: Caller): Promise<string[]> {
  console.log("\nReplaying a stolen refresh token, and signing out");
  const other = `985${String(Date.now()).slice(-7)}`;
  step("request a code for another number", await call("POST", "/api/auth/otp/request", { identifier: other }), 200);
  const otherProof = step(
    "verify it",
    await call("POST", "/api/auth/otp/verify", { identifier: other, otp: await readCode(other) }),
    200,
  );
  const victim = step(
    "register",
    await call("POST", "/api/auth/register", { identifier: other, verification_token: otherProof.verification_token }),
    201,
  );
  const stolen = victim.refresh_token;
  const own = step("refresh", await call("POST", "/api/auth/refresh", { refresh_token: stolen }), 200);
  const owned = step("refresh once more", await call("POST", "/api/auth/refresh", { refresh_token: own.refresh }), 200);
  step(
    "the old token is refused",
    await call("POST", "/api/auth/refresh", { refresh_token: stolen }),
    401,
    "token_not_valid",
  );
  step(
    "the session has ended",
    await call("GET", "/api/auth/me", undefined, String(owned.access)),
    401,
    "token_not_valid",
  );
  const visitorNumber = `986${String(Date.now()).slice(-7)}`;
  step("request a code", await call("POST", "/api/auth/otp/request", { identifier: visitorNumber }), 200);
  const lastProof = step(
    "verify it",
    await call("POST", "/api/auth/otp/verify", { identifier: visitorNumber, otp: await readCode(visitorNumber) }),
    200,
  );
  const visitor = step(
    "register",
    await call("POST", "/api/auth/register", {
      identifier: visitorNumber,
      verification_token: lastProof.verification_token,
    }),
    201,
  );
  const pass = String(visitor.access_token);
  step("log out", await call("POST", "/api/auth/logout", { refresh_token: visitor.refresh_token }, pass), 200);
  step("read my account", await call("GET", "/api/auth/me", undefined, pass), 401, "token_not_valid");
  return [other, victim.user_id, visitorNumber, visitor.user_id].map(String);
}
