import { count } from "../support/database.ts";
import { insertUser, newEvent, stateOf, topUp, unbalancedUsers } from "../support/platform.ts";
import { reportByRpc } from "../support/reporting-service.ts";
import { CLIENTS, noServerErrors, type RaceSetting, simulationOf, successes, times, Verdict } from "./race.ts";

/**
 * R16: another service reports a top-up, points and rental returns of an invited user many times at once, under the
 * same event id and under different ones: each is credited once.
 */
export async function platformEvents(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const joined = Date.now() - 86_400_000;
  const inviter = await insertUser(joined);
  const invitee = await insertUser(joined, inviter);
  const again = <T extends { id: string }>(event: T, i: number) => ({
    ...event,
    id: `${event.id}-${invitee}-${i % 4}`,
  });
  const payment = topUp(invitee, "250.00");
  const points = newEvent(invitee, "points.changed", { delta: 30, reason: "campaign", reference: "dashain" });
  const reports = Array.from({ length: CLIENTS }, (_, i) => {
    if (i % 3 === 0) return again(payment, i);
    if (i % 3 === 1) return again(points, i);
    const rental_id = `rental-${i % 7}`;
    const data = { rental_id, on_time: true, amount: "30.00" };
    return newEvent(invitee, "rental.returned", data, {
      id: `${invitee}-${rental_id}-${i % 2}`,
      occurred_at: payment.occurred_at,
    });
  });
  const simulation = simulationOf({ ...setting, handler: setting.handler ?? reportByRpc });
  const results = await simulation.race(reports.flatMap((json) => times(1, "/events", { json })));
  noServerErrors(verdict, results);
  verdict.equal("refused reports", CLIENTS - successes(results).length, 0);
  const [state, inviterState] = [await stateOf(invitee), await stateOf(inviter)];
  verdict.equal("balance", state?.balance, 25_000);
  verdict.equal("spent", state?.spent, 25_000);
  verdict.equal("points", state?.current_points, 50 + 30 + 50);
  verdict.equal("returns", state?.timely, new Set(reports.map(({ data }) => data.rental_id).filter(Boolean)).size);
  verdict.equal("referral", state?.referral, "COMPLETED");
  verdict.equal("inviter's points", inviterState?.current_points, 150);
  verdict.equal("inviter's referrals", inviterState?.referrals, 1);
  verdict.equal("ledger rows", await count("from wallet_transactions where user_id = ?", invitee), 1);
  verdict.equal("unbalanced users", (await unbalancedUsers([invitee, inviter])).length, 0);
  return verdict;
}
