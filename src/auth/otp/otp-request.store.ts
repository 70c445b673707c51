import { eq, type SQL, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { CLAIM_MS, PUBLISH_AFTER_MS } from "../../delivery/delivery-record.ts";
import { isBudgetSpent } from "../../delivery/send-budget.store.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, mergeStatements } from "../../platform/data/database.ts";
import { bindKey, findBinding, type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Locale } from "../../platform/http/locale.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { restoreOtpLimits } from "../deletion/former-identity.store.ts";
import { isCreatedAfter } from "./cid.ts";
import { selectLiveCodes } from "./live-codes.store.ts";
import type { Mailbox } from "./mailbox-hash.ts";
import { blockedUntil, networkClassOf, type OtpRequester } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";
import { countSend, nextNetworkRank, sendsBlockedUntil } from "./send-guard.store.ts";

type StoreDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "invocationId" | "log">;

/** A constant inlined into the SQL text, because D1 binds at most 100 parameters. */
const literal = (value: number): SQL => sql.raw(String(value));

/** When the requester may get the next code (epoch ms), considering all limits. */
function nextSendAt(
  identifier: Identifier,
  requester: OtpRequester,
  mailbox: Mailbox | undefined,
  now: number,
): SQL<number> {
  const { gapsMs, perNetwork, perClass, perClassDaily } = otpLimits.send;
  // Rows older than the longest window do not count and are not read.
  const isOfDay = isCreatedAfter(now - perClassDaily.windowMs);
  const isOfIdentifier = sql`identifier = ${requester.identifier} and ${isOfDay}`;
  const isOfClass = sql`${isOfIdentifier} and network_class = (${networkClassOf(requester, now)})`;
  // An address shares its limits with all addresses of its mailbox, each in its network's class, but not its gap.
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
    ${blockedUntil(requester, now)}, ${sendsBlockedUntil(identifier, requester, now)})`;
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

/**
 * Records a code and its message in one row if the limits allow a code now. This invocation holds the message's claim from
 * the start (`deps.invocationId`). The statements do not depend on whether the identifier has an account.
 *
 * @returns `created`, undefined if no code was recorded; `liveCodes`, the codes that an attempt is now compared with;
 *   `nextSendAt` (epoch ms); `isClosed`, 1 if the channel's daily budget is spent.
 */
export async function insertChallenge(
  deps: StoreDeps,
  identifier: Identifier,
  requester: OtpRequester,
  challenge: NewChallenge,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const isCreated = sql`exists (select 1 from otp_challenges where cid = ${challenge.cid})`;
  const locale = sql`coalesce((select locale from users where ${isIdentifiedBy(identifier)}), ${challenge.locale})`;
  const nextAt = nextSendAt(identifier, requester, challenge.mailbox, now);
  const { mailbox } = challenge;
  const isClosed = isBudgetSpent(deps, identifier.kind === "phone" ? "sms" : "email");
  const writes = mergeStatements(
    restoreOtpLimits(deps, { identifier: requester.identifier, hash: challenge.formerHash }),
    {
      challenge: insertWhere(
        deps,
        otpChallenges,
        {
          cid: challenge.cid,
          identifier: requester.identifier,
          network: requester.network,
          networkRank: nextNetworkRank(requester, now),
          networkClass: networkClassOf(requester, now),
          // An address that names its mailbox is found by its identifier, so that it needs no entry in the other index.
          mailbox: mailbox === undefined || mailbox.address === requester.identifier ? null : mailbox.hash,
          codeHash: challenge.codeHash,
          secretId: challenge.secretId,
          sealedCode: challenge.sealedCode,
          locale,
          isForChange: challenge.isForChange,
          claimedBy: deps.invocationId,
          claimedUntil: now + CLAIM_MS,
          sendAttempts: 1,
          // The statement is the same for a test identifier.
          undeliverableAt: sql`${challenge.isTest ? now : null}`,
          publishAt: now + PUBLISH_AFTER_MS,
          createdAt: now,
          expiresAt: now + otpLimits.ttlMs,
          attemptsFamiliar: 0,
          attemptsOther: 0,
        },
        sql`${nextAt} <= ${now} and not ${isBound(deps, call)} and not ${isClosed}`,
      ),
      counted: countSend(deps, identifier, requester, isCreated),
      bind: bindKey(
        deps,
        call,
        {
          id: challenge.cid,
          number: sql`cast(ceil((next.at - ${now}) / 1000.0) as integer)`,
          expiresAt: sql`next.at`,
          // Once, because a statement has at most 100 parameters.
          from: sql`from (select ${nextAt} as at) next`,
        },
        isCreated,
      ),
    },
  );
  const reads = {
    created: deps.db
      .select({ createdAt: otpChallenges.createdAt, expiresAt: otpChallenges.expiresAt })
      .from(otpChallenges)
      .where(eq(otpChallenges.cid, challenge.cid)),
    state: deps.db
      .select({
        nextSendAt: nextAt.as("next_send_at"),
        isClosed: sql<number>`${isClosed}`.as("is_closed"),
        sentByNetwork: sql<number>`(select count(*) from otp_challenges where identifier = ${requester.identifier}
          and network = ${requester.network} and ${isCreatedAfter(now - otpLimits.send.perNetwork.windowMs)})`.as(
          "sent_by_network",
        ),
      })
      .from(sql`(select 1)`),
    liveCodes: selectLiveCodes(deps, requester.identifier),
    binding: findBinding(deps, call),
  };
  const { created, state, liveCodes, binding } = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ created }) => created.length > 0,
  });
  const [counted] = state;
  if (!counted) throw new Error("a SELECT without FROM gave no row");
  return { created: created[0], liveCodes, ...counted, binding: binding?.[0] };
}
