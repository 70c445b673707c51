import type { SentEvent } from "../platform.ts";
import type { FetchHandler } from "../simulator/simulation.ts";

// A typical naive event intake: check whether the item is known, then write, one statement after the other. Correct
// only without concurrency; the race tests must catch it.

/** Checks for the ledger row, return and referral before writing each and updating the totals. */
export const naiveIntake: FetchHandler = async (request, env) => {
  const { type, user_id, data } = (await request.json()) as SentEvent;
  const run = (sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run();
  const find = <T>(sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .first<T>();
  const credit = async (userId: string, delta: number, reason: string, reference: unknown) => {
    if (
      await find(
        "select 1 from point_transactions where user_id = ? and reason = ? and reference = ?",
        userId,
        reason,
        reference,
      )
    )
      return false;
    const id = crypto.randomUUID();
    await run(
      "insert or ignore into point_transactions (id, user_id, delta, reason, reference, created_at) values (?, ?, ?, ?, ?, 0)",
      id,
      userId,
      delta,
      reason,
      reference,
    );
    const sums = "current_points = current_points + ?1, total_points = total_points + ?1";
    await run(`update points set ${sums} where user_id = ?2`, delta, userId);
    return true;
  };
  const add = async (userId: string, column: string, by: number) => {
    await run("insert or ignore into user_statistics values (?, 0, 0, 0, 0, 0, 0, null, 0)", userId);
    await run(`update user_statistics set ${column} = ${column} + ? where user_id = ?`, by, userId);
  };
  if (type === "points.changed") await credit(user_id, Number(data.delta), String(data.reason), data.reference);
  if (type === "transaction.succeeded") {
    const { transaction_id, amount } = data;
    const minor = Math.round(Number(amount) * 100);
    if (!(await find("select 1 from wallet_transactions where transaction_id = ?", transaction_id))) {
      await run(
        "insert or ignore into wallet_transactions values (?1, ?2, 'rentals', ?3, 'TOPUP', ?4, ?4, 'NPR', 0, 0)",
        crypto.randomUUID(),
        user_id,
        transaction_id,
        minor,
      );
      await run("update wallets set balance_minor = balance_minor + ? where user_id = ?", minor, user_id);
      await add(user_id, "total_spent_minor", minor);
    }
  }
  if (type === "rental.returned") {
    if (!(await find("select 1 from rentals where user_id = ? and rental_id = ?", user_id, data.rental_id))) {
      await run(
        "insert or ignore into rentals (user_id, rental_id, returned_at) values (?, ?, 0)",
        user_id,
        data.rental_id,
      );
      await add(user_id, "timely_returns", 1);
    }
    const referral = await find<{ inviter_id: string }>(
      "select inviter_id from referrals where invitee_id = ? and status = 'PENDING'",
      user_id,
    );
    if (referral) {
      if (await credit(referral.inviter_id, 100, "referral", user_id))
        await add(referral.inviter_id, "total_referrals", 1);
      await credit(user_id, 50, "referral", user_id);
      await run("update referrals set status = 'COMPLETED' where invitee_id = ?", user_id);
    }
  }
  return Response.json({ accepted: true });
};
