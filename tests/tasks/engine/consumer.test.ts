import { afterEach, describe, expect, it, vi } from "vitest";
import { type SignedIn, signUp, testEnv } from "../../support/client.ts";
import { rows } from "../../support/database.ts";
import { newId } from "../../support/ids.ts";
import { databaseWithout, recordLog } from "../../support/production.ts";
import { acknowledged, consume, requestAndKeep, retried } from "../../support/queue.ts";
import { runTasks, type TaskMessage } from "../../support/tasks.ts";

afterEach(() => vi.restoreAllMocks());

const withoutNotifications = () => databaseWithout(/insert into "notifications"/);

/** A database that fails every batch. */
function unreachable(): Partial<Env> {
  const batch = () => Promise.reject(new Error("D1_ERROR: overloaded"));
  return { DB: { prepare: testEnv.DB.prepare.bind(testEnv.DB), batch } as unknown as D1Database };
}

function messageFor(user: SignedIn, changes: Record<string, unknown> = {}) {
  const event = { event_id: newId(), type: "auth.new_device", user_id: user.userId, payload: "{}" };
  return { ...event, created_at: Date.now(), ...changes };
}

const letterOf = async (eventId: string) =>
  (await rows<{ reason: string; trace: string | null }>("select * from dead_letters where event_id = ?", eventId))[0];

describe("The task consumer", () => {
  it("retries a message eleven times; the twelfth failure stores a dead letter with the reason and stack frames", async () => {
    const user = await signUp();
    const message = messageFor(user);
    const env = withoutNotifications();
    for (let attempt = 1; attempt <= 11; attempt++) {
      expect(await consume([message], env, attempt), String(attempt)).toEqual(retried);
    }
    expect(await letterOf(message.event_id)).toBeUndefined();
    expect(await consume([message], env, 12)).toEqual(acknowledged);
    const letter = await letterOf(message.event_id);
    expect(letter).toMatchObject({ type: "auth.new_device", user_id: user.userId, payload: "{}", attempts: 12 });
    expect(letter?.reason).toContain("service is temporarily unavailable");
    expect(letter?.trace).toMatch(/^at .*runBatch/);
    expect(letter?.trace).not.toContain("service is temporarily unavailable");
  });

  it("stores no payload of a message about an account that was deleted meanwhile, unless it announces the deletion", async () => {
    const payload = JSON.stringify({ to: "left@example.com" });
    const present = messageFor(await signUp(), { type: "no.such.type", payload });
    const gone = { ...present, event_id: newId(), user_id: crypto.randomUUID() };
    const deletion = { ...gone, event_id: newId(), type: "user.deleted", payload: "not JSON" };
    expect(await consume([present, gone, deletion])).toEqual({ acked: [0, 1, 2], retried: [] });
    expect(await letterOf(present.event_id)).toMatchObject({ payload });
    expect(await letterOf(gone.event_id)).toMatchObject({ user_id: gone.user_id, payload: null });
    expect(await letterOf(deletion.event_id)).toMatchObject({ payload: "not JSON" });
  });

  it("doubles the delay after each error, up to ten minutes", async () => {
    const message = messageFor(await signUp());
    const delays: unknown[] = [];
    for (let attempt = 1; attempt <= 11; attempt++) {
      delays.push(...(await runTasks([message], withoutNotifications(), attempt)));
    }
    expect(delays).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
  });

  it("retries the message of a code after at most ten seconds", async () => {
    const message = (await requestAndKeep()) as TaskMessage;
    const delays: unknown[] = [];
    for (let attempt = 1; attempt <= 5; attempt++) delays.push(...(await runTasks([message], unreachable(), attempt)));
    expect(delays).toEqual([2, 4, 8, 10, 10]);
  });

  it("does not let a failing message block others", async () => {
    const [first, second] = [await signUp(), await signUp()];
    const broken = { ...messageFor(first), payload: "not JSON" };
    const messages = [broken, messageFor(second), messageFor(first, { type: "no.such.type" }), { hello: 1 }];
    expect(await consume(messages)).toEqual({ acked: [0, 1, 2, 3], retried: [] });
    expect(await rows("select user_id from notifications where user_id = ?", second.userId)).toHaveLength(1);
    expect((await letterOf(broken.event_id))?.reason).toBe("payload is not JSON");
    const unknown = messages[2] as { event_id: string };
    expect((await letterOf(unknown.event_id))?.reason).toBe("unknown type");
  });

  it("dead-letters a malformed payload at once, naming fields and no values", async () => {
    const user = await signUp();
    const payload = JSON.stringify({ notification_id: { canary: "canary-value" } });
    const message = messageFor(user, { type: "push.requested", payload });
    expect(await consume([message])).toEqual(acknowledged);
    const letter = await letterOf(message.event_id);
    expect(letter?.reason).toContain("notification_id");
    expect(letter?.reason).not.toContain("canary-value");
  });

  it("retries after ten minutes if the dead letter cannot be stored", async () => {
    const user = await signUp();
    const lines = recordLog();
    expect(await runTasks([messageFor(user, { payload: "not JSON" })], unreachable())).toEqual([600]);
    expect(lines).toContainEqual(expect.objectContaining({ event: "message_failed", level: "error" }));
  });

  it("logs one line per message with its outcome and without its payload", async () => {
    const user = await signUp();
    const lines = recordLog();
    const message = messageFor(user, { payload: JSON.stringify({ session_id: "canary-session" }) });
    await consume([message]);
    const about = lines.filter((line) => line.event_id === message.event_id);
    expect(about).toEqual([
      expect.objectContaining({
        event: "task",
        task: "notify_security_events",
        attempt: 1,
        done: true,
        note: "notified",
      }),
    ]);
    expect(JSON.stringify(lines)).not.toContain("canary-session");
  });
});
