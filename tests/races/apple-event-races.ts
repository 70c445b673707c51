import { call, newIp, newPhone } from "../support/client.ts";
import { count, rows, run } from "../support/database.ts";
import { CLIENTS as APP_IDS, fakeProviders, ISSUERS, newPerson, signText } from "../support/openid.ts";
import {
  answered,
  CLIENTS,
  headersOf,
  noServerErrors,
  type RaceSetting,
  simulationOf,
  times,
  Verdict,
} from "./race.ts";

const NOTIFICATIONS = "/api/auth/apple/notifications";
const HOUR_MS = 3_600_000;

/** A person who signed up with Apple, and has a phone number too. */
async function appleUser() {
  const providers = fakeProviders();
  const person = newPerson("apple");
  const json = await providers.nativeSignIn("apple", person);
  const { body } = await call("POST", "/api/auth/apple/token", { json, env: providers.env, ip: newIp() });
  const { user_id: userId, access_token: access } = body.data;
  await run("update users set phone_number = ?, phone_verified = 1 where id = ?", newPhone(), userId);
  // So that events of the last hour are newer than the link.
  await run("update social_accounts set created_at = created_at - ? where user_id = ?", HOUR_MS, userId);
  return { providers, person, userId: String(userId), access: String(access) };
}

/** Apple's signed notification, which Apple may send again. */
async function notificationOf(sub: string, type: string, at: number): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  const events = JSON.stringify({ type, sub, event_time: at });
  const claims = { iss: ISSUERS.apple, aud: APP_IDS.apple.ios, iat, exp: iat + 600, jti: crypto.randomUUID(), events };
  return signText(JSON.stringify(claims));
}

const appliedTo = (userId: string, kind: string) =>
  count(
    "from audit_logs where user_id = ? and entity_type = 'social_account' and new_values ->> 'event' like ?",
    userId,
    kind,
  );

/** R22: Apple's events many times each and out of order: the latest wins, and each is applied at most once. */
export async function reorderedEvents(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const { providers, person, userId } = await appleUser();
  const kinds = ["email-disabled", "email-enabled", "email-disabled", "email-enabled", "email-disabled"];
  const first = Date.now() - 1000;
  const payloads = await Promise.all(kinds.map((kind, i) => notificationOf(person.sub, kind, first + i)));
  const results = await simulationOf(setting).race(
    payloads
      // The newest first.
      .toReversed()
      .flatMap((payload) =>
        times(CLIENTS / 5, NOTIFICATIONS, {
          env: providers.env,
          ip: newIp(),
          json: { payload },
          headers: headersOf(setting),
        }),
      ),
  );
  noServerErrors(verdict, results);
  verdict.equal("answers that are not 200", answered(results).filter(({ status }) => status !== 200).length, 0);
  const [link] = await rows<{ mail_stopped_at: number; mail_event_at: number }>(
    "select mail_stopped_at, mail_event_at from social_accounts where user_id = ?",
    userId,
  );
  const newest = first + kinds.length - 1;
  verdict.equal("the link follows the event of", link?.mail_event_at, newest);
  verdict.equal("mail stopped at", link?.mail_stopped_at, newest);
  const applied = await appliedTo(userId, "email-%");
  verdict.atMost("events applied", applied, kinds.length);
  if (!setting.handler) {
    const changes = "from recorded_events where user_id = ? and type = 'user.updated'";
    verdict.equal("events for other services", await count(changes, userId), applied);
  }
  return verdict;
}

/** R22: a withdrawn consent beside sign-ins with Apple and the removal of the link: no session outlives its link. */
export async function withdrawnConsent(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const { providers, person, userId, access } = await appleUser();
  await run("update sessions set method = 'OTP_PHONE' where user_id = ?", userId);
  const { env } = providers;
  const payload = await notificationOf(person.sub, "consent-revoked", Date.now() - 1000);
  const signIns = await Promise.all(
    Array.from({ length: CLIENTS / 4 }, async () => ({
      method: "POST",
      path: "/api/auth/apple/token",
      options: {
        env,
        ip: newIp(),
        json: await providers.nativeSignIn("apple", person),
        headers: headersOf(setting),
      },
    })),
  );
  const removals = times(5, "/api/auth/apple/link", { env, token: access, json: {}, headers: headersOf(setting) });
  const results = await simulationOf(setting).race([
    ...times(CLIENTS / 4, NOTIFICATIONS, { env, ip: newIp(), json: { payload }, headers: headersOf(setting) }),
    ...signIns,
    ...removals.map((each) => ({ ...each, method: "DELETE" })),
  ]);
  noServerErrors(verdict, results);
  verdict.atMost("withdrawals applied", await appliedTo(userId, "consent-revoked"), 1);
  const orphans = await count(
    `from sessions s where s.user_id = ? and s.method = 'APPLE' and s.revoked_at is null and not exists
      (select 1 from social_accounts l where l.user_id = s.user_id and l.provider = 'APPLE' and l.revoked_at is null)`,
    userId,
  );
  verdict.equal("sessions without their link", orphans, 0);
  verdict.equal("accounts", await count("from users where id = ?", userId), 1);
  return verdict;
}
