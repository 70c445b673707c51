import { eq, type SQL, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { isBudgetSpent } from "../../delivery/send-budget.store.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere } from "../../platform/data/database.ts";
import { bindKey, findBinding, type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { recordEvent, selectEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Locale } from "../../platform/http/locale.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { takeBackOtpLimits } from "../deletion/former-identity.store.ts";
import { blockedUntil, classOf, type OtpRequester } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";
import { countSend, heldUntil } from "./send-guard.store.ts";

type StoreDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "invocationId" | "log">;

/** A constant of ours written into the statement: D1 binds at most 100 parameters. */
const literal = (value: number): SQL => sql.raw(String(value));

/** The instant from which the next code may be sent to the party, all limits considered. */
function nextSendAt(
  identifier: Identifier,
  party: OtpRequester,
  mailbox: string | undefined,
  now: number,
): SQL<number> {
  const { gapsMs, perNetwork, perClass, perClassDaily } = otpLimits.send;
  // What is older than the longest window counts for nothing, and is not looked at.
  const ofIdentifier = sql`from otp_challenges where identifier = ${party.identifier}
    and created_at > ${now - perClassDaily.windowMs}`;
  const ofClass = sql`${ofIdentifier} and network_class = (${classOf(party, now)})`;
  // An address counts with all others of its mailbox, each in the class of its own network; the gap is its own.
  const ofMailbox =
    mailbox === undefined
      ? ofClass
      : sql`from otp_challenges where mailbox = ${mailbox}
          and created_at > ${now - perClassDaily.windowMs} and network_class = (${classOf(party, now)})`;
  const ofNetwork = sql`${ofIdentifier} and network = ${party.network}`;
  const newest = sql`(select max(created_at) ${ofClass})`;
  // Where the nth newest is younger than the window, the window is full until that one leaves it.
  const fullUntil = (rows: SQL, { count, windowMs }: { count: number; windowMs: number }) =>
    sql`coalesce((select created_at + ${literal(windowMs)} ${rows} order by created_at desc limit 1 offset ${literal(count - 1)}), 0)`;
  // Counted from the newest send back, so that the wait does not shrink while it lasts.
  const gap = sql`case (select count(*) ${ofClass} and created_at > ${newest} - ${literal(perClass.windowMs)})
    when 0 then 0 when 1 then ${literal(gapsMs[0])} when 2 then ${literal(gapsMs[1])} when 3 then ${literal(gapsMs[2])}
    else ${literal(gapsMs[3])} end`;
  return sql`max(
    coalesce(${newest}, 0) + ${gap},
    ${fullUntil(ofNetwork, perNetwork)}, ${fullUntil(ofMailbox, perClass)}, ${fullUntil(ofMailbox, perClassDaily)},
    ${blockedUntil(party, now)}, ${heldUntil(identifier, party, now)})`;
}

export interface NewChallenge {
  cid: string;
  codeHash: string;
  secretId: string;
  /** What `hashForOtpLimits` makes of the identifier. */
  formerHash: string;
  /** Keyed hash of an e-mail address's mailbox; undefined for a phone number. */
  mailbox: string | undefined;
  /** Payload of the message's event. */
  message: { payload: string; locale: Locale };
}

/**
 * Records a code, if the limits allow another one now, with the event that carries it to its reader; one transaction.
 * The statements are the same whether or not the identifier has an account.
 *
 * @returns `created` is undefined when no code was made; `nextSendAt` is an instant in milliseconds; `isClosed` when
 *   the channel's budget of the day is spent.
 */
export async function insertChallenge(
  deps: StoreDeps,
  identifier: Identifier,
  party: OtpRequester,
  challenge: NewChallenge,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const made = sql`exists (select 1 from otp_challenges where cid = ${challenge.cid})`;
  const { message } = challenge;
  const locale = sql`coalesce((select locale from users where ${isIdentifiedBy(identifier)}), ${message.locale})`;
  const nextAt = nextSendAt(identifier, party, challenge.mailbox, now);
  const waitSeconds = sql`cast(ceil((${nextAt} - ${now}) / 1000.0) as integer)`;
  const isClosed = isBudgetSpent(deps, identifier.kind === "phone" ? "sms" : "email");
  const eventId = deps.newId();
  const writes = {
    ...takeBackOtpLimits(deps, { identifier: party.identifier, hash: challenge.formerHash }),
    challenge: insertWhere(
      deps,
      otpChallenges,
      {
        cid: challenge.cid,
        identifier: party.identifier,
        network: party.network,
        networkClass: classOf(party, now),
        mailbox: challenge.mailbox ?? null,
        codeHash: challenge.codeHash,
        secretId: challenge.secretId,
        createdAt: now,
        expiresAt: now + otpLimits.ttlMs,
        triesFamiliar: 0,
        triesOther: 0,
      },
      sql`${nextAt} <= ${now} and not ${isBound(deps, call)} and not ${isClosed}`,
    ),
    event: recordEvent(
      deps,
      {
        id: eventId,
        type: "otp.requested",
        payload: sql`json_set(${message.payload}, '$.locale', ${locale})`,
        queue: "otp",
        eraseAt: now + otpLimits.ttlMs,
      },
      made,
    ),
    counted: countSend(deps, identifier, party, made),
    bind: bindKey(deps, call, { id: challenge.cid, number: waitSeconds, expiresAt: nextAt }, made),
  };
  const reads = {
    created: deps.db.select({ cid: otpChallenges.cid }).from(otpChallenges).where(eq(otpChallenges.cid, challenge.cid)),
    events: selectEvent(deps, eventId),
    state: deps.db
      .select({
        nextSendAt: nextAt.as("next_send_at"),
        isClosed: sql<number>`${isClosed}`.as("is_closed"),
        sentByNetwork: sql<number>`(select count(*) from otp_challenges where identifier = ${party.identifier}
          and network = ${party.network} and created_at > ${now - otpLimits.send.perNetwork.windowMs})`.as(
          "sent_by_network",
        ),
      })
      .from(sql`(select 1)`),
    binding: findBinding(deps, call),
  };
  const { created, events, state, binding } = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ created }) => created.length > 0,
  });
  const [counted] = state;
  if (!counted) throw new Error("a SELECT without FROM gave no row");
  return { created: created[0], events, ...counted, binding: binding?.[0] };
}
