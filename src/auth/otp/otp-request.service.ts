import { sendCodeNow } from "../../delivery/deliver-code.ts";
import { canDeliver } from "../../delivery/providers.ts";
import { dayEndsAt } from "../../nepal.ts";
import { currentSecret } from "../../platform/config/keyring.ts";
import { randomDigits, seal } from "../../platform/crypto.ts";
import { type IdempotentCall, identifyCall } from "../../platform/data/idempotency.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { Text } from "../../platform/http/locale.ts";
import { type RateLimit, rateLimitHeaders } from "../../platform/http/rate-limit.ts";
import { type Identifier, parseIdentifier } from "../../users/identifier.ts";
import { hashForOtpLimits } from "../deletion/former-identity.ts";
import { newCid } from "./cid.ts";
import { liveCodesKey, storeLiveCodes } from "./live-codes.store.ts";
import { hashMailbox } from "./mailbox-hash.ts";
import { hashCode } from "./otp-hash.ts";
import { otpLimits, type RequestedPurpose } from "./otp-limits.ts";
import { insertChallenge } from "./otp-request.store.ts";
import { findTestCode } from "./test-identifiers.ts";

export interface SentCode {
  /** Seconds until the next code may be requested. */
  resendInSeconds: number;
  limit: RateLimit;
}

/**
 * Generates a code and sends it to the identifier. The response and the work before it are the same whether the
 * identifier has no account or belongs to an active user, a banned user or a store reviewer (ASVS 6.3.8).
 *
 * @throws AppError `validation_error`; `rate_limit_exceeded` with the seconds to wait; `idempotency_key_reused`;
 *   `service_unavailable` while the channel has no configured provider, or until midnight once the channel's daily
 *   budget is spent.
 */
export async function generateOtp(
  deps: Deps,
  client: Client,
  request: { identifier: string; purpose?: RequestedPurpose | undefined },
): Promise<SentCode> {
  const identifier = parseIdentifier(deps, request.identifier);
  const testCode = findTestCode(deps, identifier);
  if (!canDeliver(deps, identifier)) {
    throw new AppError("service_unavailable", { reason: "no provider for this channel", retryAfterSeconds: 60 });
  }
  const call = await identifyCall(deps, client.idempotencyKey, "otp/request", identifier.value, {
    purpose: request.purpose,
  });
  const code = testCode ?? randomDigits(deps.randomBytes, otpLimits.digits);
  const cid = newCid(deps);
  const secretId = deps.keyring.currentSecretId;
  const codeHash = await hashCode(deps, secretId, cid, identifier, code);
  if (codeHash === undefined) throw new Error("the current secret is not in the keyring");
  const sealedCode = await seal(currentSecret(deps.keyring).sealing, deps.randomBytes, code, cid);
  const mailbox = identifier.kind === "email" ? await hashMailbox(deps, identifier.value) : undefined;
  const formerHash = await hashForOtpLimits(deps, identifier.value);
  const outcome = await insertChallenge(
    deps,
    identifier,
    client.network,
    {
      cid,
      codeHash,
      secretId,
      formerHash,
      mailbox,
      sealedCode,
      locale: client.locale,
      isForChange: request.purpose === "CHANGE",
      isTest: testCode !== undefined,
    },
    call,
  );
  if (!outcome.created) return answerWithoutCode(deps, identifier.kind, call, outcome);
  const { createdAt, expiresAt } = outcome.created;
  const dueCode = { cid, to: identifier.value, createdAt, expiresAt };
  // A test identifier's message is recorded like any other, so that the work before the response is the same.
  const send = async () => testCode === undefined && sendCodeNow(deps, dueCode, deps.invocationId);
  const key = await liveCodesKey(deps, identifier.value);
  // Concurrently: the stored codes are only a hint, so sending does not wait for KV.
  deps.afterResponse(Promise.all([storeLiveCodes(deps, key, outcome.liveCodes), send()]));
  return describeSend(deps, outcome.nextSendAt, outcome.sentByNetwork);
}

const TOO_MANY_CODES: Text = {
  en: "Too many codes were requested. Wait before you request another one.",
  ne: "धेरै पटक कोड मागियो। अर्को माग्नुअघि केही बेर पर्खनुहोस्।",
};
const NO_CODE_YET: Record<Identifier["kind"], Text> = {
  phone: {
    en: "We cannot send a code by text message right now. Wait a little and try again, or use your email address.",
    ne: "अहिले SMS बाट कोड पठाउन सकिएन। केही बेर पर्खेर फेरि प्रयास गर्नुहोस् वा इमेल प्रयोग गर्नुहोस्।",
  },
  email: {
    en: "We cannot send a code by email right now. Wait a little and try again, or use your phone number.",
    ne: "अहिले इमेलबाट कोड पठाउन सकिएन। केही बेर पर्खेर फेरि प्रयास गर्नुहोस् वा फोन नम्बर प्रयोग गर्नुहोस्।",
  },
};

type Outcome = Awaited<ReturnType<typeof insertChallenge>>;

/** Answers a call that recorded no code: one repeated under its key gets the first result; any other is refused. */
function answerWithoutCode(
  deps: Deps,
  kind: Identifier["kind"],
  call: IdempotentCall | undefined,
  outcome: Outcome,
): SentCode {
  const { binding } = outcome;
  if (call && binding && binding.bodyHash !== call.bodyHash) throw new AppError("idempotency_key_reused");
  const wait = describeSend(deps, outcome.nextSendAt, outcome.sentByNetwork);
  if (call && binding) return { ...wait, resendInSeconds: binding.resultNumber ?? wait.resendInSeconds };
  if (outcome.isClosed) {
    throw new AppError("service_unavailable", {
      reason: "the day's budget is spent",
      message:
        kind === "phone"
          ? {
              en: "We cannot send text messages right now. Try again later, or use email.",
              ne: "अहिले SMS पठाउन सकिएन। पछि फेरि प्रयास गर्नुहोस् वा इमेल प्रयोग गर्नुहोस्।",
            }
          : {
              en: "We cannot send email right now. Try again later, or use your phone number.",
              ne: "अहिले इमेल पठाउन सकिएन। पछि फेरि प्रयास गर्नुहोस् वा फोन नम्बर प्रयोग गर्नुहोस्।",
            },
      retryAfterSeconds: Math.ceil((dayEndsAt(deps.now()) - deps.now()) / 1000),
    });
  }
  throw new AppError("rate_limit_exceeded", {
    // Other networks or other people on this one may have exhausted the limit, so the caller may not have a code yet.
    message: outcome.sentByNetwork > 0 ? TOO_MANY_CODES : NO_CODE_YET[kind],
    retryAfterSeconds: wait.resendInSeconds,
    headers: rateLimitHeaders("otp-request", otpLimits.send.perNetwork, { ...wait.limit, remaining: 0 }),
  });
}

function describeSend(deps: Deps, nextSendAt: number, sentByNetwork: number): SentCode {
  const resendInSeconds = Math.max(0, Math.ceil((nextSendAt - deps.now()) / 1000));
  const remaining = Math.max(0, otpLimits.send.perNetwork.count - sentByNetwork);
  return { resendInSeconds, limit: { remaining, resetSeconds: resendInSeconds } };
}
