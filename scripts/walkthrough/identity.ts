import { setTimeout as sleep } from "node:timers/promises";
import { type Caller, expectSame, step } from "./caller.ts";

/** Changes an address, exports, and undoes a hostile change. @param others what identifies other accounts. */
export async function changeIdentity({ call, readCode }: Caller, others: readonly string[]): Promise<void> {
  console.log("\nChanging an e-mail address, exporting, and undoing a hostile change");
  /** Requests a code for the identifier and verifies it. */
  async function verify(owner: string, purpose?: "CHANGE"): Promise<{ token: unknown; resendIn: number }> {
    const request = { identifier: owner, ...(purpose ? { purpose } : {}) };
    const sent = step(`request a code for ${owner}`, await call("POST", "/api/auth/otp/request", request), 200);
    const attempt = { identifier: owner, otp: await readCode(owner) };
    const { verification_token: token } = step("verify it", await call("POST", "/api/auth/otp/verify", attempt), 200);
    return { token, resendIn: Number(sent.resend_in) };
  }
  const ownNumber = `981${String(Date.now()).slice(-7)}`;
  const firstProof = await verify(ownNumber);
  const provedAt = Date.now();
  const owner = step(
    "register",
    await call("POST", "/api/auth/register", { identifier: ownNumber, verification_token: firstProof.token }),
    201,
  );
  const session = String(owner.access_token);
  /** Verifies the address and sets it as the caller's. */
  async function setEmail(email: string): Promise<Record<string, unknown>> {
    const { token: verification_token } = await verify(email, "CHANGE");
    const change = await call("PUT", "/api/auth/identity/email", { email, verification_token }, session);
    return step(`set ${email}`, change, 200);
  }
  const mark = Date.now();
  await setEmail(`asha.${mark}@example.com`);
  const changed = await setEmail(`asha.rai.${mark}@example.com`);
  expectSame("my verified address", [changed.email, changed.email_verified], [`asha.rai.${mark}@example.com`, true]);
  const mine = step("export my data", await call("GET", "/api/users/export", undefined, session), 200);
  const { identity: exportedIdentity, audit: actions } = mine as { identity: Record<string, unknown>; audit: object[] };
  expectSame(
    "the export has my address and number",
    [exportedIdentity.email, exportedIdentity.phone_number],
    [`asha.rai.${mark}@example.com`, `+977${ownNumber}`],
  );
  expectSame("the export has what I did", actions.length > 2, true);
  expectSame(
    "data of others in the export",
    others.filter((each) => JSON.stringify(mine).includes(each)),
    [],
  );
  const hostileNumber = `982${String(mark).slice(-7)}`;
  const { token: hostile } = await verify(hostileNumber, "CHANGE");
  step(
    "somebody with this session replaces my number",
    await call(
      "PUT",
      "/api/auth/identity/phone",
      { phone_number: hostileNumber, verification_token: hostile },
      session,
    ),
    200,
  );
  const waitMs = provedAt + firstProof.resendIn * 1000 - Date.now();
  console.log(`  the next code for my number may be requested in ${Math.max(0, Math.ceil(waitMs / 1000))} seconds`);
  if (waitMs > 0) await sleep(waitMs);
  const { token: ownToken } = await verify(ownNumber);
  const ownAgain = { identifier: ownNumber, verification_token: ownToken };
  step("nobody else may take it", await call("POST", "/api/auth/register", ownAgain), 409, "identifier_replaced");
  const disputed = step("dispute the change", await call("POST", "/api/auth/identity/dispute", ownAgain), 200);
  expectSame("the account is as it was", disputed.outcome, "RESTORED");
  step(
    "the hostile session has ended",
    await call("GET", "/api/auth/identity", undefined, session),
    401,
    "token_not_valid",
  );
}
