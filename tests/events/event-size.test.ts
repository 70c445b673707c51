import { afterEach, describe, expect, it, vi } from "vitest";
import { PlatformEvents } from "../../src/index.ts";
import { testEnv } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { askOther, deadLettersOf, deliver, insertUser, stateOf, topUp } from "../support/platform.ts";
import { recordLog } from "../support/production.ts";
import { consume } from "../support/queue.ts";

const LIMIT = 64 * 1024;

useClock();
afterEach(() => vi.restoreAllMocks());

const newUser = () => insertUser(Date.now());
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;

/**
 * A valid event whose JSON has the given number of UTF-8 bytes, padded by an unknown field of three-byte characters.
 */
function eventOf(userId: string, bytes: number) {
  const event = { ...topUp(userId, "1.00"), padding: "" };
  const lacking = bytes - bytesOf(event);
  event.padding = "ब".repeat(Math.floor(lacking / 3)) + "a".repeat(lacking % 3);
  expect(bytesOf(event)).toBe(bytes);
  return event;
}

describe("An event of another service", () => {
  it("is accepted from the queue at 64 KB, and dead-lettered without its payload at one byte more", async () => {
    const [first, second, third] = [await newUser(), await newUser(), await newUser()];
    const lines = recordLog();
    const events = [eventOf(first, LIMIT), eventOf(second, LIMIT + 1), topUp(third, "1.00")];
    expect(await deliver(events)).toEqual({ acked: [0, 1, 2], retried: [] });
    const balances = await Promise.all([first, second, third].map(async (user) => (await stateOf(user))?.balance));
    expect(balances).toEqual([100, 0, 100]);
    expect(await deadLettersOf(first)).toEqual([]);
    const [letter] = await deadLettersOf(second);
    expect(letter).toMatchObject({ type: "platform.event", event_id: `rentals:${events[1]?.id}`, payload: null });
    expect(letter?.reason).toContain(`too large: ${LIMIT + 1} bytes`);
    expect(lines).toContainEqual(expect.objectContaining({ event: "dead_letter", alert: true }));
  });

  it("is accepted by RPC at 64 KB, and refused as too_large and dead-lettered at one byte more", async () => {
    const [first, second] = [await newUser(), await newUser()];
    const record = async (event: unknown) => (await askOther("RENTALS", "/events", event)).body;
    expect(await record(eventOf(first, LIMIT))).toEqual({ accepted: true, duplicate: false });
    expect(await record(eventOf(second, LIMIT + 1))).toEqual({ accepted: false, reason: "too_large" });
    expect(await stateOf(second)).toMatchObject({ balance: 0 });
    expect(await deadLettersOf(second)).toMatchObject([{ queue: "PlatformEvents", payload: null }]);
    expect((await deadLettersOf(second))[0]?.reason).toContain(`too large: ${LIMIT + 1} bytes`);
  });

  it.each([
    ["a number that JSON does not know", { amount: 1n }],
    [
      "a cycle",
      (() => {
        const data: Record<string, unknown> = {};
        data.self = data;
        return data;
      })(),
    ],
  ])("with %s is refused without affecting other events", async (_, data) => {
    const [user, neighbour] = [await newUser(), await newUser()];
    const event = { ...topUp(user, "1.00"), data };
    expect(await deliver([event, topUp(neighbour, "1.00")])).toEqual({ acked: [0, 1], retried: [] });
    expect(await stateOf(neighbour)).toMatchObject({ balance: 100 });
    expect(await deadLettersOf(user)).toHaveLength(1);
    const context = { waitUntil() {}, passThroughOnException() {}, props: { caller: "rentals" } };
    const entrypoint = new PlatformEvents(context as unknown as ExecutionContext<object>, testEnv);
    expect(await entrypoint.record(event)).toMatchObject({ accepted: false, reason: "malformed" });
  });
});

describe("A dead letter", () => {
  it("stores at most 64 KB of payload and truncates all other texts", async () => {
    const queue = `tasks`;
    const body = (bytes: number, user_id: string | null = null) => ({
      event_id: "x".repeat(50_000),
      type: `no.such.type${"y".repeat(50_000)}`,
      user_id,
      payload: `"${"a".repeat(bytes - 2)}"`,
      created_at: 0,
    });
    const before = await rows<{ id: string }>("select id from dead_letters order by id desc limit 1");
    const since = before[0]?.id ?? "";
    const messages = [body(LIMIT), body(LIMIT + 1), { a: "b".repeat(LIMIT) }, body(10, "z".repeat(50_000))];
    expect(await consume(messages, {}, 1, queue)).toEqual({ acked: [0, 1, 2, 3], retried: [] });
    const kept = await rows<Record<string, string | null>>(
      "select event_id, type, user_id, payload, reason from dead_letters where id > ? order by id",
      since,
    );
    expect(kept.map(({ payload }) => payload?.length ?? null).sort()).toEqual([LIMIT, null, null, null]);
    for (const { payload: _, ...texts } of kept)
      for (const text of Object.values(texts)) expect(text?.length ?? 0).toBeLessThanOrEqual(1_100);
  });
});
