import { testEnv } from "./client.ts";
import { rows } from "./database.ts";
import { consume } from "./queue.ts";

/** An event as sent by another service. */
export interface SentEvent {
  id: string;
  type: string;
  source: string;
  user_id: string;
  occurred_at: string;
  data: Record<string, unknown>;
}

let serial = 0;

/** A new event of the rental service about the user, with its own id and the current time. */
export function newEvent(
  userId: string,
  type: string,
  data: Record<string, unknown>,
  given: Partial<SentEvent> = {},
): SentEvent {
  serial += 1;
  const occurred_at = new Date().toISOString();
  return { id: `event-${serial}`, type, source: "rentals", user_id: userId, occurred_at, data, ...given };
}

export const topUp = (userId: string, amount: string, given: Partial<SentEvent> = {}, data: object = {}) =>
  newEvent(
    userId,
    "transaction.succeeded",
    {
      transaction_id: crypto.randomUUID(),
      transaction_type: "TOPUP",
      amount,
      currency: "NPR",
      wallet_delta: amount,
      ...data,
    },
    given,
  );

/** Delivers the bodies on the platform queue as one batch. */
export const deliver = (bodies: unknown[], env: Partial<Env> = {}, attempts = 1) =>
  consume(bodies, env, attempts, "platform-events");

/** Calls another service, which calls ours: the binding of `RENTALS` names its caller, that of `NOBODY` does not. */
export async function askOther(service: "RENTALS" | "NOBODY", path: string, body: unknown) {
  const other = (testEnv as unknown as Record<string, Fetcher>)[service] as Fetcher;
  const response = await other.fetch(`http://other${path}`, { method: "POST", body: JSON.stringify(body) });
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape.
  return { status: response.status, body: (await response.json()) as any };
}

/** The user's dead letters, oldest first. */
export const deadLettersOf = (userId: string) =>
  rows<{ queue: string; event_id: string; type: string; payload: string; reason: string }>(
    "select queue, event_id, type, payload, reason from dead_letters where user_id = ? order by id",
    userId,
  );

/** Inserts a user with wallet and points as registration does, and the inviter's pending referral if there is one. */
export async function insertUser(
  dateJoined: number,
  inviterId?: string,
  id: string = crypto.randomUUID(),
): Promise<string> {
  const run = (sql: string) => testEnv.DB.prepare(sql).bind(id, dateJoined);
  await testEnv.DB.batch([
    run(`insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
      social_provider, locale, date_joined, updated_at, version)
      values (?1, ?1, ?1, 0, 1, ?1, 'ACTIVE', 'user', 'PHONE', 'en', ?2, ?2, 1)`),
    run("insert into wallets (user_id, balance_minor, currency, updated_at) values (?1, 0, 'NPR', ?2)"),
    run("insert into points (user_id, current_points, total_points, updated_at) values (?1, 50, 50, ?2)"),
    run(`insert into point_transactions (id, user_id, delta, reason, reference, created_at)
      values ('bonus of ' || ?1, ?1, 50, 'signup_bonus', 'signup', ?2)`),
  ]);
  if (inviterId) {
    await testEnv.DB.prepare(
      "insert into referrals (invitee_id, inviter_id, status, created_at) values (?, ?, 'PENDING', 0)",
    )
      .bind(id, inviterId)
      .run();
  }
  return id;
}

/** Everything that platform events write about a user, except our own ids and times. */
export async function stateOf(userId: string) {
  const [sums] = await rows(
    `select coalesce(w.balance_minor, 0) as balance, p.current_points, p.total_points, coalesce(s.total_rentals, 0) as rentals,
      coalesce(s.total_spent_minor, 0) as spent, coalesce(s.total_referrals, 0) as referrals,
      coalesce(s.timely_returns, 0) as timely, coalesce(s.late_returns, 0) as late,
      coalesce(s.favorite_stations_count, 0) as favorites, s.last_rental_at,
      (select status from referrals where invitee_id = u.id) as referral
      from users u left join wallets w on w.user_id = u.id left join points p on p.user_id = u.id
      left join user_statistics s on s.user_id = u.id where u.id = ?`,
    userId,
  );
  return sums;
}

/**
 * Users whose balances differ from the sums of their ledgers: wallets from wallet deltas, points from deltas, and the
 * amount spent from amounts.
 */
export const unbalancedUsers = (userIds: readonly string[]) =>
  rows<{ id: string }>(
    `select u.id from users u left join wallets w on w.user_id = u.id left join points p on p.user_id = u.id
      left join user_statistics s on s.user_id = u.id
      where u.id in (select value from json_each(?)) and (
        coalesce(w.balance_minor, 0) <> (select coalesce(sum(wallet_delta_minor), 0) from wallet_transactions t where t.user_id = u.id)
        or coalesce(p.current_points, 0) <> (select coalesce(sum(delta), 0) from point_transactions t where t.user_id = u.id)
        or coalesce(p.total_points, 0) <> (select coalesce(sum(max(delta, 0)), 0) from point_transactions t where t.user_id = u.id)
        or coalesce(s.total_spent_minor, 0) <> (select coalesce(sum(amount_minor), 0) from wallet_transactions t
          where t.user_id = u.id and t.transaction_type in ('RENTAL', 'TOPUP')))`,
    JSON.stringify(userIds),
  );
