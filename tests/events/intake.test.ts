import { beforeAll, describe, expect, it, vi } from "vitest";
import { testEnv } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { deadLettersOf, deliver, insertUser, newEvent, stateOf, topUp, unbalancedUsers } from "../support/platform.ts";
import { databaseLosingAnswersOf, recordLog } from "../support/production.ts";
import { acknowledged, consume, retried } from "../support/queue.ts";
import { keepSentEvents } from "../support/recorded-events.ts";

beforeAll(keepSentEvents);

const DAY_MS = 86_400_000;

useClock();

const newUser = () => insertUser(Date.now() - DAY_MS);
const marksOf = (id: string) => rows("select * from processed_events where event_id = ?", id);

describe("events from the platform queue", () => {
  it("changes the wallet by exactly the given delta, even below zero", async () => {
    const userId = await newUser();
    const rental = { transaction_type: "RENTAL", wallet_delta: "-1000.07" };
    const result = await deliver([topUp(userId, "0.1"), topUp(userId, "0.20"), topUp(userId, "1000.07", {}, rental)]);
    expect(result).toEqual({ acked: [0, 1, 2], retried: [] });
    expect(await stateOf(userId)).toMatchObject({ balance: -99_977, spent: 100_037 });
    expect(await unbalancedUsers([userId])).toEqual([]);
  });

  it.each([
    ["TOPUP", 700, 500],
    ["RENTAL", 700, 500],
    ["RENTAL_DUE", 700, 0],
    ["FINE", 700, 0],
    ["REFUND", 700, 0],
  ])("moves the wallet by a %s; only TOPUP and RENTAL count as spent", async (transaction_type, balance, spent) => {
    const userId = await newUser();
    await deliver([topUp(userId, "5", {}, { transaction_type, wallet_delta: "7.00" })]);
    expect(await stateOf(userId)).toMatchObject({ balance, spent });
  });

  it("counts a transaction once across events; the same id with another type or source is a different transaction", async () => {
    const userId = await newUser();
    const transaction_id = `t-${userId}`;
    const same = () => topUp(userId, "10.00", {}, { transaction_id });
    const first = same();
    expect(await deliver([first, first, same(), same()])).toEqual({ acked: [0, 1, 2, 3], retried: [] });
    expect(await stateOf(userId)).toMatchObject({ balance: 1000 });
    const refund = { transaction_id, transaction_type: "REFUND" };
    await deliver([
      topUp(userId, "1.00", {}, refund),
      topUp(userId, "0.10", { source: "payments" }, { transaction_id }),
    ]);
    expect(await stateOf(userId)).toMatchObject({ balance: 1110 });
  });

  it("ignores a recorded transaction with another amount or user, and raises an alert", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const [userId, other] = [await newUser(), await newUser()];
    const transaction_id = `t-${userId}`;
    await deliver([topUp(userId, "10.00", {}, { transaction_id })]);
    expect(warn).not.toHaveBeenCalled();
    await deliver([topUp(userId, "11.00", {}, { transaction_id }), topUp(other, "10.00", {}, { transaction_id })]);
    const lines = warn.mock.calls.map(([line]) => JSON.parse(String(line)).event);
    warn.mockRestore();
    expect(lines).toEqual(["platform_event_contradicts", "platform_event_contradicts"]);
    expect(await stateOf(userId)).toMatchObject({ balance: 1000 });
    expect(await stateOf(other)).toMatchObject({ balance: 0, spent: 0 });
  });

  it("raises the alert at the redelivery if the database's answer to a contradicting event was lost", async () => {
    const userId = await newUser();
    const transaction_id = `t-${userId}`;
    await deliver([topUp(userId, "10.00", {}, { transaction_id })]);
    const contradicting = topUp(userId, "11.00", {}, { transaction_id });
    const lines = recordLog();
    const forgetful = databaseLosingAnswersOf(/^insert into "wallet_transactions"/);
    expect(await deliver([contradicting], forgetful)).toEqual(retried);
    expect(await deliver([contradicting])).toEqual(acknowledged);
    vi.restoreAllMocks();
    expect(lines.filter(({ event }) => event === "platform_event_contradicts")).toHaveLength(1);
    expect(await stateOf(userId)).toMatchObject({ balance: 1000 });
  });

  it("counts points once per source, reason and reference", async () => {
    const userId = await newUser();
    const points = (source: string, delta: number, reason = "promo") =>
      newEvent(userId, "points.changed", { delta, reason, reference: "dashain" }, { source });
    await deliver([points("rentals", 10), points("payments", 10), points("rentals", 10), points("payments", 7)]);
    expect(await stateOf(userId)).toMatchObject({ current_points: 50 + 20, total_points: 50 + 20 });
    await deliver([points("rentals", 1, "other"), points("users", 10)]);
    expect(await stateOf(userId)).toMatchObject({ current_points: 50 + 31 });
    expect(await unbalancedUsers([userId])).toEqual([]);
  });

  it("adds every delta to the current points and only positive deltas to the total", async () => {
    const userId = await newUser();
    const points = (delta: number, reference: string) =>
      newEvent(userId, "points.changed", { delta, reason: "rental", reference });
    await deliver([points(30, "a"), points(30, "a"), points(-100, "b"), points(5, "c")]);
    expect(await stateOf(userId)).toMatchObject({ current_points: 50 - 65, total_points: 85 });
    expect(await unbalancedUsers([userId])).toEqual([]);
  });

  it("treats the same id from two services as two events, and from one service as one", async () => {
    const userId = await newUser();
    const id = `same-${userId}`;
    const points = (source: string, reference: string) =>
      newEvent(userId, "points.changed", { delta: 1, reason: "rental", reference }, { id, source });
    await deliver([points("rentals", "a"), points("payments", "b"), points("rentals", "c")]);
    expect(await stateOf(userId)).toMatchObject({ current_points: 52 });
  });

  it("completes a referral once if the return is within 30 days of joining, to the millisecond", async () => {
    const joined = Date.now() - 60 * DAY_MS;
    const inviter = await insertUser(joined);
    const [late, timely] = [await insertUser(joined, inviter), await insertUser(joined, inviter)];
    const returned = (userId: string, at: number) =>
      newEvent(
        userId,
        "rental.returned",
        { rental_id: crypto.randomUUID(), on_time: true, amount: "10" },
        { occurred_at: new Date(at).toISOString() },
      );
    await deliver([returned(late, joined + 30 * DAY_MS + 1), returned(late, joined - 1)]);
    expect(await stateOf(late)).toMatchObject({ referral: "PENDING", current_points: 50, timely: 2 });
    await deliver([returned(timely, joined + 40 * DAY_MS), returned(timely, joined + 30 * DAY_MS)]);
    await deliver([returned(timely, joined + 3 * DAY_MS)]);
    expect(await stateOf(timely)).toMatchObject({ referral: "COMPLETED", current_points: 100, total_points: 100 });
    expect(await stateOf(inviter)).toMatchObject({ referrals: 1, current_points: 150, total_points: 150 });
    const entries =
      "select user_id, delta, reference from point_transactions where reason = 'referral' and user_id in (?, ?)";
    expect(await rows(`${entries} order by delta`, inviter, timely)).toEqual([
      { user_id: timely, delta: 50, reference: timely },
      { user_id: inviter, delta: 100, reference: timely },
    ]);
    expect(await unbalancedUsers([inviter, timely, late])).toEqual([]);
  });

  it("records events of a banned user", async () => {
    const userId = await newUser();
    await rows("update users set status = 'BANNED', status_reason = 'staff' where id = ?", userId);
    await deliver([topUp(userId, "1.00")]);
    expect(await stateOf(userId)).toMatchObject({ balance: 100 });
  });

  it("creates the rows of a user who has none yet", async () => {
    const userId = await newUser();
    for (const table of ["wallets", "points", "point_transactions"])
      await rows(`delete from ${table} where user_id = ?`, userId);
    await deliver([
      topUp(userId, "1.00"),
      newEvent(userId, "points.changed", { delta: 3, reason: "x", reference: "y" }),
    ]);
    expect(await stateOf(userId)).toMatchObject({ balance: 100, current_points: 3, total_points: 3 });
  });

  it("writes neither audit rows nor webhook events", async () => {
    const userId = await newUser();
    await deliver([topUp(userId, "1.00")]);
    expect(await rows("select id from audit_logs where user_id = ?", userId)).toEqual([]);
    expect(await rows("select id from recorded_events where user_id = ?", userId)).toEqual([]);
    expect(await rows("select version from users where id = ?", userId)).toEqual([{ version: 1 }]);
  });
});

describe("events that cannot be applied", () => {
  it("an event of an unknown user becomes a dead letter, is not marked as processed, and counts once the user exists", async () => {
    const userId = await newUser();
    const stranger = crypto.randomUUID();
    const event = topUp(stranger, "5.00");
    expect(await deliver([event, topUp(userId, "1.00")])).toEqual({ acked: [0, 1], retried: [] });
    expect(await stateOf(userId)).toMatchObject({ balance: 100 });
    const [letter, ...others] = await deadLettersOf(stranger);
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      queue: "platform-events",
      type: "platform.event",
      event_id: `rentals:${event.id}`,
      reason: "unknown user",
    });
    expect(JSON.parse(letter?.payload ?? "")).toEqual(event);
    expect(await marksOf(event.id)).toEqual([]);
    expect(
      await rows("select id from wallet_transactions where transaction_id = ?", event.data.transaction_id),
    ).toEqual([]);
    await insertUser(Date.now(), undefined, stranger);
    await deliver([event]);
    expect(await stateOf(stranger)).toMatchObject({ balance: 500 });
  });

  it("a corrected dead letter replayed through the tasks queue takes effect once", async () => {
    const userId = await newUser();
    const event = topUp(crypto.randomUUID(), "5.00");
    await deliver([event]);
    const [letter] = await deadLettersOf(event.user_id);
    const payload = JSON.stringify({ ...event, user_id: userId });
    const replayed = { event_id: letter?.event_id, type: letter?.type, user_id: event.user_id, payload, created_at: 0 };
    expect(await consume([replayed, replayed], {}, 1, "tasks")).toEqual({ acked: [0, 1], retried: [] });
    expect(await stateOf(userId)).toMatchObject({ balance: 500 });
  });

  it("a copy of an event whose user was deleted meanwhile does not become a dead letter", async () => {
    const userId = await newUser();
    const event = topUp(userId, "5.00");
    await deliver([event]);
    await rows("delete from users where id = ?", userId);
    expect(await deliver([event])).toEqual({ acked: [0], retried: [] });
    expect(await deadLettersOf(userId)).toEqual([]);
    const { transaction_id: transactionId } = event.data;
    expect(await rows("select 1 from wallet_transactions where transaction_id = ?", transactionId)).toHaveLength(1);
  });

  it("a database outage causes a retry without loss", async () => {
    const userId = await newUser();
    const event = topUp(userId, "5.00");
    const DB = new Proxy(testEnv.DB, {
      get: (db, name) =>
        name === "batch" ? () => Promise.reject(new Error("D1_ERROR: down")) : Reflect.get(db, name).bind(db),
    });
    expect(await deliver([event], { DB })).toEqual({ acked: [], retried: [0] });
    expect(await deliver([event], {}, 2)).toEqual({ acked: [0], retried: [] });
    expect(await stateOf(userId)).toMatchObject({ balance: 500 });
  });

  const bad: [what: string, change: object, reason: string][] = [
    ["another currency", { data: { currency: "INR" } }, "data.currency"],
    ["no currency", { data: { currency: undefined } }, "data.currency"],
    ["three decimals", { data: { amount: "1.001" } }, "data.amount"],
    ["a negative amount", { data: { amount: "-1.00" } }, "data.amount"],
    ["a huge amount", { data: { amount: "10000000.00" } }, "data.amount"],
    ["a huge movement", { data: { wallet_delta: "-10000000.00" } }, "data.wallet_delta"],
    ["an amount of many digits", { data: { amount: "9".repeat(60_000) } }, "data.amount"],
    ["an amount that is a number", { data: { amount: 1 } }, "data.amount"],
    ["an exponent", { data: { amount: "1e2" } }, "data.amount"],
    ["a plus sign", { data: { amount: "+1.00" } }, "data.amount"],
    ["a space", { data: { amount: " 1.00" } }, "data.amount"],
    ["digits of another script", { data: { amount: "१.००" } }, "data.amount"],
    ["no digit before the point", { data: { amount: ".50" } }, "data.amount"],
    ["no amount", { data: { amount: undefined } }, "data.amount"],
    ["an amount that is __proto__", { data: { amount: "__proto__" } }, "data.amount"],
    ["an unknown kind", { data: { transaction_type: "GIFT" } }, "data.transaction_type"],
    ["an empty transaction id", { data: { transaction_id: "" } }, "data.transaction_id"],
    ["a long transaction id", { data: { transaction_id: "x".repeat(101) } }, "data.transaction_id"],
    ["a transaction id with a NUL", { data: { transaction_id: "a\u0000b" } }, "data.transaction_id"],
    ["a list for a text", { data: { transaction_id: ["t"] } }, "data.transaction_id"],
    ["data that is a list", { data: [] }, "data"],
    ["data that is null", { data: null }, "data"],
    ["an unknown type", { type: "transaction.failed" }, "type"],
    ["a type that is __proto__", { type: "__proto__" }, "type"],
    ["no instant", { occurred_at: undefined }, "occurred_at"],
    ["a date for an instant", { occurred_at: "2026-01-01" }, "occurred_at"],
    ["an instant without zone", { occurred_at: "2026-01-01T00:00:00" }, "occurred_at"],
    ["an instant that is a number", { occurred_at: 1_700_000_000_000 }, "occurred_at"],
    ["an instant of tomorrow", { occurred_at: new Date(Date.now() + 25 * 3_600_000).toISOString() }, "occurred_at"],
    ["an instant of another century", { occurred_at: "1970-01-01T00:00:00Z" }, "occurred_at"],
    ["an empty id", { id: "" }, "id"],
    ["a long id", { id: "x".repeat(101) }, "id"],
    ["an id that is a number", { id: 7 }, "id"],
    ["no source", { source: undefined }, "source"],
    ["a source with a colon", { source: "a:b" }, "source"],
  ];

  it.each(bad)("%s becomes a dead letter that names the field and no value", async (_what, change, field) => {
    const userId = await newUser();
    const event = topUp(userId, "31415.92");
    const data = "data" in change && change.data instanceof Object && !Array.isArray(change.data);
    const altered = {
      ...event,
      ...change,
      ...(data ? { data: { ...event.data, ...(change as typeof event).data } } : {}),
    };
    expect(await deliver([altered, topUp(userId, "1.00")])).toEqual({ acked: [0, 1], retried: [] });
    expect(await stateOf(userId)).toMatchObject({ balance: 100, spent: 100 });
    const letters = await deadLettersOf(userId);
    expect(letters.map(({ reason }) => reason)).toEqual([expect.stringContaining(`malformed: ${field} `)]);
    expect(letters[0]?.reason).not.toMatch(/31415|INR|GIFT/);
    expect(letters[0]?.event_id).toEqual(expect.any(String));
  });

  it.each([
    ["points with a fraction", "points.changed", { delta: 1.5, reason: "x", reference: "y" }, "data.delta"],
    ["points as text", "points.changed", { delta: "5", reason: "x", reference: "y" }, "data.delta"],
    ["points beyond all bounds", "points.changed", { delta: 1e15, reason: "x", reference: "y" }, "data.delta"],
    ["a reason of our own", "points.changed", { delta: 5, reason: "referral", reference: "y" }, "data.reason"],
    [
      "another reason of our own",
      "points.changed",
      { delta: 5, reason: "signup_bonus", reference: "y" },
      "data.reason",
    ],
    ["a return that says neither", "rental.returned", { rental_id: "r", amount: "1" }, "data.on_time"],
    ["a return on time by word", "rental.returned", { rental_id: "r", on_time: "true", amount: "1" }, "data.on_time"],
    ["a start without station", "rental.started", { rental_id: "r" }, "data.station_id"],
    ["a favourite that is no text", "station.favorited", { station_id: {} }, "data.station_id"],
  ])("%s is refused", async (_what, type, data, field) => {
    const userId = await newUser();
    const before = await stateOf(userId);
    await deliver([newEvent(userId, type, data)]);
    expect(await stateOf(userId)).toEqual(before);
    expect((await deadLettersOf(userId)).map(({ reason }) => reason)).toEqual([expect.stringContaining(field)]);
  });

  it("a message that is not an event becomes a dead letter without affecting others", async () => {
    const userId = await newUser();
    const mark = crypto.randomUUID();
    const odd = [
      null,
      5,
      mark,
      [mark],
      { odd: mark },
      JSON.parse(`{"__proto__": {"id": "${mark}"}, "mark": "${mark}"}`),
    ];
    const result = await deliver([...odd, topUp(userId, "1.00")]);
    expect(result).toEqual({ acked: [0, 1, 2, 3, 4, 5, 6], retried: [] });
    const kept = await rows("select reason, payload from dead_letters where payload like ?", `%${mark}%`);
    expect(kept.map(({ reason }) => reason)).toEqual(Array(4).fill(expect.stringContaining("malformed")));
    expect(await stateOf(userId)).toMatchObject({ balance: 100 });
    expect(({} as { id?: string }).id).toBeUndefined();
  });

  it("unknown fields are ignored, including __proto__", async () => {
    const userId = await newUser();
    const event = topUp(userId, "1.00");
    const text = JSON.stringify(event).replace(
      '"data":{',
      '"__proto__":{"source":"evil"},"constructor":"x","balance":"9","data":{"__proto__":{"amount":"9"},"wallet_delta_minor":7,',
    );
    await deliver([JSON.parse(text)]);
    expect(await stateOf(userId)).toMatchObject({ balance: 100, spent: 100 });
  });

  it("a user id in upper case identifies the same user", async () => {
    const userId = await newUser();
    await deliver([topUp(userId.toUpperCase(), "1.00")]);
    expect(await stateOf(userId)).toMatchObject({ balance: 100 });
  });

  it("messages dead-lettered by Cloudflare are stored for replay", async () => {
    const event = topUp(crypto.randomUUID(), "5.00");
    expect(await consume([event], {}, 21, "dead-letters")).toEqual({ acked: [0], retried: [] });
    expect(await deadLettersOf(event.user_id)).toMatchObject([
      { type: "platform.event", event_id: `rentals:${event.id}`, reason: "no attempt completed" },
    ]);
  });

  it("an event half an hour in the future is accepted, to allow for clock skew", async () => {
    const userId = await newUser();
    const at = new Date(Date.now() + 30 * 60_000).toISOString();
    await deliver([newEvent(userId, "rental.started", { rental_id: "r", station_id: "s" }, { occurred_at: at })]);
    expect(await stateOf(userId)).toMatchObject({ rentals: 1, last_rental_at: Date.parse(at) });
  });
});
