import { afterEach, describe, expect, test, vi } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import { call, type SignedIn } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { documented, newUser } from "../../support/kyc.ts";
import { addPasskey, age, expectError, ownOptions, proveBy, signInBy, signInOptions } from "../../support/passkeys.ts";
import { auditOf } from "../../support/staff.ts";

afterEach(() => {
  vi.useRealTimers();
});

const MINUTE_MS = 60_000;
const prove = (person: SignedIn, credential: unknown) =>
  documented("POST", "/api/auth/proof", { token: person.access, json: { credential } });

describe("A proof by passkey", () => {
  test("lets an old session make sensitive changes for ten minutes", async () => {
    const person = await newUser();
    const { authenticator, passkey } = await addPasskey(person);
    const clock = stopClock();
    await age(person, 60 * MINUTE_MS);
    const answer = await proveBy(person, authenticator);
    expect([answer.status, answer.body.data.proved_until]).toEqual([
      200,
      new Date(Date.now() + 10 * MINUTE_MS).toISOString(),
    ]);
    expect(await rows("select proved_by, passkey_id from sessions where user_id = ?", person.userId)).toEqual([
      { proved_by: "PASSKEY", passkey_id: passkey.id },
    ]);
    const audit = (await auditOf(person.userId, "LOGIN")).map(({ new_values }) => JSON.parse(new_values));
    expect(audit.filter(({ step }) => step === "proof")).toEqual([{ step: "proof", method: "PASSKEY" }]);
    clock.advance(10 * MINUTE_MS - 1);
    await addPasskey(person);
    clock.advance(1);
    const late = await call("POST", "/api/auth/passkeys/options", {
      token: person.access,
      json: { purpose: "REGISTER" },
    });
    expectError(late, 403, "reauthentication_required");
  });

  test("repeated within 180 seconds gets the same response, and is refused afterwards", async () => {
    const person = await newUser();
    const { authenticator } = await addPasskey(person);
    const clock = stopClock();
    const credential = await authenticator.assert(await ownOptions(person, "PROOF"));
    const first = await prove(person, credential);
    clock.advance(180_000 - 1);
    expect((await prove(person, credential)).body.data).toEqual(first.body.data);
    clock.advance(1);
    expectError(await prove(person, credential), 400, "passkey_failed");
  });

  test("in the last millisecond of the challenge is repeated for three minutes, and proves nothing after its end", async () => {
    const person = await newUser();
    const { authenticator } = await addPasskey(person, { isSynced: false });
    const clock = stopClock();
    const credential = await authenticator.assert(await ownOptions(person, "PROOF"));
    const unused = await authenticator.assert(await ownOptions(person, "PROOF"));
    clock.advance(10 * MINUTE_MS - 1);
    const first = await prove(person, credential);
    clock.advance(180_000 - 1);
    expect((await prove(person, credential)).body.data).toEqual(first.body.data);
    expectError(await prove(person, unused), 400, "passkey_failed");
  });

  test("sent twenty times at once counts once", async () => {
    const person = await newUser();
    const { authenticator } = await addPasskey(person);
    const credential = await authenticator.assert(await ownOptions(person, "PROOF"));
    const answers = await Promise.all(Array.from({ length: 20 }, () => prove(person, credential)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.data?.proved_until}`)).size).toBe(1);
    const audit = (await auditOf(person.userId, "LOGIN")).filter(({ new_values }) => new_values.includes("proof"));
    expect(audit).toHaveLength(1);
  });

  test("needs a passkey of this person, and a challenge of this session", async () => {
    const [person, other] = [await newUser(), await newUser()];
    const { authenticator } = await addPasskey(person);
    const { authenticator: foreign } = await addPasskey(other);
    const session = await signInBy(authenticator);
    const own = () => ownOptions(person, "PROOF");
    expectError(await prove(person, await foreign.assert(await own())), 400, "passkey_unknown");
    expectError(await prove(person, await (await Authenticator.create()).assert(await own())), 400, "passkey_unknown");
    for (const options of [
      await ownOptions(session, "PROOF"),
      await ownOptions(person, "REGISTER"),
      await signInOptions(),
    ])
      expectError(await prove(person, await authenticator.assert(options)), 400, "passkey_failed");
    // The device may leave the user handle out, because the options name the passkeys.
    expect((await prove(person, await authenticator.assert(await own(), { userHandle: null }))).status).toBe(200);
    expectError(
      await prove(person, await authenticator.assert(await own(), { userHandle: "AAAA" })),
      400,
      "passkey_failed",
    );
  });

  test("is refused where the counter does not grow", async () => {
    const person = await newUser();
    const { authenticator } = await addPasskey(person, { isSynced: false });
    await signInBy(authenticator);
    expectError(await proveBy(person, authenticator, { overrides: { counter: 1 } }), 400, "passkey_failed");
    expect(
      await rows("select proved_at from sessions where user_id = ? and method <> 'PASSKEY'", person.userId),
    ).toEqual([{ proved_at: null }]);
  });

  test("is not offered to a user without a passkey", async () => {
    const person = await newUser();
    const json = { purpose: "PROOF" };
    expectError(await call("POST", "/api/auth/passkeys/options", { token: person.access, json }), 404, "not_found");
  });

  test("is required unless there is a verification token, and is rejected together with one", async () => {
    const person = await newUser();
    const { authenticator } = await addPasskey(person);
    const credential = await authenticator.assert(await ownOptions(person, "PROOF"));
    for (const [json, code] of [
      [{}, "required"],
      [{ credential: "", verification_token: "" }, "required"],
      [{ credential, verification_token: "x" }, "two_proofs"],
    ] as const) {
      const answer = await call("POST", "/api/auth/proof", { token: person.access, json });
      expectError(answer, 400, "validation_error");
      expect(answer.body.error.fields).toEqual({ verification_token: [{ code }] });
    }
    await run("update sessions set revoked_at = 1 where user_id = ?", person.userId);
    expectError(await prove(person, credential), 401, "token_not_valid");
  });
});
