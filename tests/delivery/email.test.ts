import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newEmail } from "../support/client.ts";
import { closeBreakers, productionEnv, providerVars, recordLog, stopTime } from "../support/production.ts";
import { acknowledged, consume, requestAndKeep, retried } from "../support/queue.ts";

beforeEach(closeBreakers);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

interface Mail {
  from: { email: string; name: string };
  to: string;
  subject: string;
  text: string;
}

/** A stand-in for the mail binding; `answer` may throw an error with a code, as the real service does. */
function mailService(answer: (mail: Mail) => unknown = () => ({ messageId: "<1@example.com>" })) {
  const mails: Mail[] = [];
  const EMAIL = {
    send: async (mail: Mail) => {
      mails.push(mail);
      return answer(mail);
    },
  };
  return { mails, env: productionEnv({ EMAIL }) };
}

const refusal = (code: string) => () => {
  throw Object.assign(new Error(`${code}: canary`), { code });
};

describe("E-mail", () => {
  test("is sent from the configured address with the code in its text and not in its subject", async () => {
    const to = newEmail();
    const { mails, env } = mailService();
    expect(await consume([await requestAndKeep(to, env)], env)).toEqual(acknowledged);
    expect(mails).toEqual([
      {
        from: { email: providerVars.EMAIL_FROM, name: "PowerBank" },
        to,
        subject: expect.stringMatching(/^[^0-9]+$/),
        text: expect.stringMatching(/\b\d{6}\b/),
      },
    ]);
  });

  test("is in Nepali if the code was requested in Nepali", async () => {
    const { mails, env } = mailService();
    await consume([await requestAndKeep(newEmail(), env, { "accept-language": "ne" })], env);
    expect(mails[0]?.subject).toMatch(/कोड/);
    expect(mails[0]?.text).toMatch(/कोड: \d{6}/);
  });

  test("is accepted by the local send_email binding", async () => {
    const env = productionEnv();
    const message = await requestAndKeep(newEmail(), env);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(await consume([message], env)).toEqual(acknowledged);
  });

  test.each([
    "E_RECIPIENT_SUPPRESSED",
    "E_RECIPIENT_NOT_ALLOWED",
    "E_VALIDATION_ERROR",
    "E_FIELD_MISSING",
    "E_CONTENT_TOO_LARGE",
    "E_HEADER_NOT_ALLOWED",
  ])("is not retried after %s, which is about the address or the message", async (code) => {
    const { mails, env } = mailService(refusal(code));
    const message = await requestAndKeep(newEmail(), env);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(mails).toHaveLength(1);
  });

  test.each([
    "E_SENDER_NOT_VERIFIED",
    "E_SENDER_DOMAIN_NOT_AVAILABLE",
    "E_RATE_LIMIT_EXCEEDED",
    "E_DAILY_LIMIT_EXCEEDED",
  ])("is retried after %s, because it was not accepted", async (code) => {
    const { mails, env } = mailService(refusal(code));
    const message = await requestAndKeep(newEmail(), env);
    for (let attempt = 1; attempt <= 3; attempt++) expect(await consume([message], env)).toEqual(retried);
    expect(mails).toHaveLength(3);
  });

  const doubts: Record<string, (advance: (milliseconds: number) => void) => () => unknown> = {
    E_DELIVERY_FAILED: () => refusal("E_DELIVERY_FAILED"),
    E_INTERNAL_SERVER_ERROR: () => refusal("E_INTERNAL_SERVER_ERROR"),
    "an error without a code": () => () => {
      throw new Error("canary: connection lost");
    },
    "no answer in time": (advance) => () => {
      queueMicrotask(() => advance(5_000));
      return new Promise(() => {});
    },
  };

  test.each(Object.entries(doubts))("is sent at most twice after %s", async (_what, doubt) => {
    const clock = stopTime();
    const { mails, env } = mailService(doubt(clock.advance));
    const message = await requestAndKeep(newEmail(), env);
    const lines = recordLog();
    expect(await consume([message], env)).toEqual(retried);
    expect(await consume([message], env)).toEqual(retried);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(mails).toHaveLength(2);
    const words = JSON.stringify(lines);
    for (const secret of ["canary", mails[0]?.to ?? "", mails[0]?.text.match(/\d{6}/)?.[0] ?? ""]) {
      // A time or an id may contain the digits of a code by chance.
      expect(words.replaceAll(/"time":"[^"]*"|"event_id":"[^"]*"/g, "")).not.toContain(secret);
    }
  });
});
