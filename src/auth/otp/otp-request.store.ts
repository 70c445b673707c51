import { eq, type SQL, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { CLAIM_MS, PUBLISH_AFTER_MS } from "../../delivery/delivery-record.ts";
import { budgetOfDay, isBudgetSpent } from "../../delivery/send-budget.store.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, literal, mergeStatements } from "../../platform/data/database.ts";
import { bindKey, findBinding, type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { type BuilderDeps, prepare, type Value } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Locale } from "../../platform/http/locale.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { restoreOtpLimits } from "../deletion/former-identity.store.ts";
import { isCreatedAfter } from "./cid.ts";
import { selectLiveCodes } from "./live-codes.store.ts";
import type { Mailbox } from "./mailbox-hash.ts";
import { blockedUntil, networkClassOf, type OtpRequester } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";
import { countSend, nextNetworkRank, sendCounters, sendsBlockedUntil } from "./send-guard.store.ts";

type StoreDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "invocationId" | "log">;

/** The mailbox of `NewChallenge`, or placeholders for it. */
type MailboxValues = { [K in keyof Mailbox]: Value<string> };

/** When the requester may get the next code (epoch ms), considering all limits. */
function nextSendAt(
  requester: OtpRequester,
  mailbox: MailboxValues | undefined,
  counters: Value<string>,
  now: Value<number>,
): SQL<number> {
  const { gapsMs, perNetwork, perClass, perClassDaily } = otpLimits.send;
  // Rows older than the longest window do not count and are not read.
  const isOfDay = isCreatedAfter(sql`${now} - ${literal(perClassDaily.windowMs)}`);
  const isOfIdentifier = sql`identifier = ${requester.identifier} and ${isOfDay}`;
  const isOfClass = sql`${isOfIdentifier} and network_class = (${networkClassOf(requester, now)})`;
  // The addresses of one mailbox share the limits per class, but not the wait between two codes. Each code counts in
  // the class that its network has for its own address.
  const ofMailbox =
    mailbox === undefined
      ? [isOfClass]
      : [sql`identifier = ${mailbox.address}`, sql`mailbox = ${mailbox.hash} and identifier <> ${mailbox.address}`].map(
          (isOfMailbox) => sql`${isOfMailbox} and ${isOfDay} and network_class = (${networkClassOf(requester, now)})`,
        );
  const isOfNetwork = sql`${isOfIdentifier} and network = ${requester.network}`;
  const newest = sql`(select created_at from otp_challenges where ${isOfClass} order by cid desc limit 1)`;
  // If the nth newest row lies within the window, the window is full until that row leaves it. The rows of several
  // conditions are merged in the order of their indexes.
  const fullUntil = (conditions: SQL[], { count, windowMs }: { count: number; windowMs: number }) => {
    const rows = conditions.map(
      (is) => sql`select cid, created_at + ${literal(windowMs)} as ends_at from otp_challenges where ${is}`,
    );
    return sql`coalesce((select ends_at from (${sql.join(rows, sql` union all `)}
      order by cid desc limit 1 offset ${literal(count - 1)})), 0)`;
  };
  // Counts back from the newest send, so that the wait does not shrink while it lasts.
  const gap = sql`case (select count(*) from otp_challenges where ${isOfClass} and created_at > ${newest} - ${literal(perClass.windowMs)})
    when 0 then 0 when 1 then ${literal(gapsMs[0])} when 2 then ${literal(gapsMs[1])} when 3 then ${literal(gapsMs[2])}
    else ${literal(gapsMs[3])} end`;
  return sql`max(
    coalesce(${newest}, 0) + ${gap},
    ${fullUntil([isOfNetwork], perNetwork)}, ${fullUntil(ofMailbox, perClass)}, ${fullUntil(ofMailbox, perClassDaily)},
    ${blockedUntil(requester, now)}, ${sendsBlockedUntil(requester, now, counters)})`;
}

export interface NewChallenge {
  cid: string;
  codeHash: string;
  secretId: string;
  /** The identifier's hash by `hashForOtpLimits`. */
  formerHash: string;
  /** The e-mail address's mailbox; undefined for a phone number. */
  mailbox: Mailbox | undefined;
  sealedCode: string;
  /** Language of the message, unless the user has chosen one. */
  locale: Locale;
  /** The message says that the code changes an account. */
  isForChange: boolean;
  /** The code belongs to a test identifier and is not sent. */
  isTest: boolean;
}

/** Names of the values of the statements that record a code. */
const challengeValues = [
  ...(["identifier", "network", "cid", "codeHash", "secretId", "sealedCode", "locale", "formerHash"] as const),
  // As `sendCounters` returns them.
  ...(["counters"] as const),
  // Null for a phone number.
  ...(["mailboxAddress", "mailboxHash"] as const),
  // As `budgetOfDay` returns them.
  ...(["day", "budget"] as const),
  // 1 or 0.
  ...(["isForChange"] as const),
  // The time if nothing is to be sent, else null.
  ...(["undeliverableAt"] as const),
  // Null without an `Idempotency-Key`.
  ...(["keyHash", "bodyHash"] as const),
];
type ChallengeValues = Readonly<Record<(typeof challengeValues)[number], SQL>>;

/** What the statements have in common. */
function conditionsOf(deps: BuilderDeps, kind: Identifier["kind"], values: ChallengeValues) {
  const { mailboxAddress: address, mailboxHash: hash } = values;
  const mailbox = kind === "email" ? { address, hash } : undefined;
  return {
    now: deps.now(),
    mailbox,
    nextAt: nextSendAt(values, mailbox, values.counters, deps.now()),
    isClosed: isBudgetSpent(kind === "phone" ? "sms" : "email", values),
  };
}

function writeChallenge(deps: BuilderDeps, kind: Identifier["kind"], values: ChallengeValues, hasKey: boolean) {
  const { cid, identifier } = values;
  const { now, mailbox, nextAt, isClosed } = conditionsOf(deps, kind, values);
  const call = hasKey ? values : undefined;
  const isCreated = sql`exists (select 1 from otp_challenges where cid = ${cid})`;
  return mergeStatements(restoreOtpLimits(deps, { identifier, hash: values.formerHash }), {
    challenge: insertWhere(
      deps,
      otpChallenges,
      {
        cid,
        identifier,
        network: values.network,
        networkRank: nextNetworkRank(values, now),
        networkClass: networkClassOf(values, now),
        // An address that names its mailbox is found by its identifier, so that it needs no entry in the other index.
        mailbox: mailbox && sql`iif(${mailbox.address} = ${identifier}, null, ${mailbox.hash})`,
        codeHash: values.codeHash,
        secretId: values.secretId,
        sealedCode: values.sealedCode,
        locale: sql`coalesce((select locale from users where ${isIdentifiedBy({ kind, value: identifier })}), ${values.locale})`,
        isForChange: values.isForChange,
        claimedBy: deps.invocationId,
        claimedUntil: sql`${now} + ${literal(CLAIM_MS)}`,
        sendAttempts: 1,
        // The statement is the same for a test identifier.
        undeliverableAt: values.undeliverableAt,
        publishAt: sql`${now} + ${literal(PUBLISH_AFTER_MS)}`,
        createdAt: now,
        expiresAt: sql`${now} + ${literal(otpLimits.ttlMs)}`,
        attemptsFamiliar: 0,
        attemptsOther: 0,
      },
      sql`${nextAt} <= ${now} and not ${isBound(deps, call)} and not ${isClosed}`,
    ),
    counted: countSend(deps, values.counters, isCreated),
    bind: bindKey(
      deps,
      call,
      {
        id: cid,
        number: sql`cast(ceil((next.at - ${now}) / 1000.0) as integer)`,
        expiresAt: sql`next.at`,
        // Computed once, because a statement has at most 100 parameters.
        from: sql`from (select ${nextAt} as at) next`,
      },
      isCreated,
    ),
  });
}

function readChallenge(deps: BuilderDeps, kind: Identifier["kind"], values: ChallengeValues, hasKey: boolean) {
  const { now, nextAt, isClosed } = conditionsOf(deps, kind, values);
  return {
    created: deps.db
      .select({ createdAt: otpChallenges.createdAt, expiresAt: otpChallenges.expiresAt })
      .from(otpChallenges)
      .where(eq(otpChallenges.cid, values.cid)),
    state: deps.db
      .select({
        nextSendAt: nextAt.as("next_send_at"),
        isClosed: sql<number>`${isClosed}`.as("is_closed"),
        sentByNetwork: sql<number>`(select count(*) from otp_challenges where identifier = ${values.identifier}
          and network = ${values.network}
          and ${isCreatedAfter(sql`${now} - ${literal(otpLimits.send.perNetwork.windowMs)}`)})`.as("sent_by_network"),
      })
      .from(sql`(select 1)`),
    liveCodes: selectLiveCodes(deps, values.identifier),
    binding: findBinding(deps, hasKey ? values : undefined),
  };
}

const prepareChallenge = (kind: Identifier["kind"], hasKey: boolean) => ({
  writes: prepare(challengeValues, (deps, values) => writeChallenge(deps, kind, values, hasKey)),
  reads: prepare(challengeValues, (deps, values) => readChallenge(deps, kind, values, hasKey)),
});

const challenges = {
  phone: { plain: prepareChallenge("phone", false), keyed: prepareChallenge("phone", true) },
  email: { plain: prepareChallenge("email", false), keyed: prepareChallenge("email", true) },
};

/**
 * Records a code and its message in one row if the limits allow a code now. This invocation holds the message's claim
 * from the start (`deps.invocationId`). The statements do not depend on whether the identifier has an account.
 *
 * @returns `created`, undefined if no code was recorded; `liveCodes`, the codes that an attempt is now compared with;
 *   `nextSendAt` (epoch ms); `isClosed`, 1 if the channel's daily budget is spent.
 */
export async function insertChallenge(
  deps: StoreDeps,
  identifier: Identifier,
  network: string,
  { mailbox, isForChange, isTest, ...challenge }: NewChallenge,
  call: IdempotentCall | undefined,
) {
  const { keyHash = null, bodyHash = null } = call ?? {};
  const budget = budgetOfDay(deps, identifier.kind === "phone" ? "sms" : "email");
  const values = {
    ...challenge,
    ...budget,
    identifier: identifier.value,
    network,
    counters: sendCounters(identifier, network, deps.now()),
    mailboxAddress: mailbox?.address ?? null,
    mailboxHash: mailbox?.hash ?? null,
    isForChange: isForChange ? 1 : 0,
    undeliverableAt: isTest ? deps.now() : null,
    keyHash,
    bodyHash,
  };
  const prepared = challenges[identifier.kind][call ? "keyed" : "plain"];
  const { created, state, liveCodes, binding } = await commit(deps, {
    writes: prepared.writes(deps, values),
    reads: prepared.reads(deps, values),
    isCommitted: ({ created }) => created.length > 0,
  });
  const [counted] = state;
  if (!counted) throw new Error("the state of a request has one row");
  return { created: created[0], liveCodes, ...counted, binding: binding?.[0] };
}
