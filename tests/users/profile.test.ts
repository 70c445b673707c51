import { beforeAll, describe, expect, it, vi } from "vitest";
import { call, signUp } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows, run } from "../support/database.ts";
import { keepSentEvents } from "../support/recorded-events.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const PATH = "/api/users/profile";
const whole = { full_name: "Asha Gurung", date_of_birth: "1999-12-31", address: "Lakeside, Pokhara" };

const get = (token: string) => call("GET", PATH, { token });
const put = (token: string, json: object) => call("PUT", PATH, { token, json });
const patch = (token: string, json: object) => call("PATCH", PATH, { token, json });

/** Audit rows of the profile and events of a change, oldest first. */
async function traces(userId: string) {
  const audits = await rows<{ old_values: string; new_values: string }>(
    "select old_values, new_values from audit_logs where user_id = ? and entity_type = 'profile' order by id",
    userId,
  );
  const events = await rows<{ type: string }>(
    "select type from recorded_events where user_id = ? and type in ('user.updated', 'profile.reminder_due') order by type",
    userId,
  );
  return {
    audits: audits.map((row) => [JSON.parse(row.old_values), JSON.parse(row.new_values)]),
    events: events.map(({ type }) => type),
  };
}

describe("users/profile", () => {
  it("is empty at first and complete once name, birth date and address are set; auth/me agrees", async () => {
    const { access: token } = await signUp();
    expect((await get(token)).body.data).toMatchObject({
      full_name: null,
      date_of_birth: null,
      address: null,
      avatar_url: null,
      is_profile_complete: false,
    });
    for (const field of ["full_name", "date_of_birth"] as const) await patch(token, { [field]: whole[field] });
    expect((await get(token)).body.data.is_profile_complete).toBe(false);
    const last = await patch(token, { address: whole.address });
    expect(last.body.data).toMatchObject({ ...whole, is_profile_complete: true });
    expect((await call("GET", "/api/auth/me", { token })).body.data.profile_complete).toBe(true);
  });

  it("changes only the fields that are sent; null clears with PUT and is ignored with PATCH", async () => {
    const { access: token } = await signUp();
    await put(token, { ...whole, avatar_url: "https://img.example.com/a.png" });
    await put(token, { full_name: "Asha Rai" });
    expect((await get(token)).body.data).toMatchObject({ ...whole, full_name: "Asha Rai" });
    await patch(token, { address: null, avatar_url: null });
    expect((await get(token)).body.data).toMatchObject({ address: whole.address, is_profile_complete: true });
    await put(token, { address: null, avatar_url: null });
    expect((await get(token)).body.data).toMatchObject({
      address: null,
      avatar_url: null,
      full_name: "Asha Rai",
      is_profile_complete: false,
    });
  });

  it("accepts all three body formats, and an empty form value counts as absent", async () => {
    const { access: token } = await signUp();
    await put(token, whole);
    const urlencoded = await call("PUT", PATH, { token, form: { full_name: "Asha Rai", address: "" } });
    expect(urlencoded.body.data).toMatchObject({ full_name: "Asha Rai", address: whole.address });
    const multipart = await call("PATCH", PATH, { token, multipart: { full_name: "Asha Lama", date_of_birth: "" } });
    expect(multipart.body.data).toMatchObject({ full_name: "Asha Lama", date_of_birth: whole.date_of_birth });
  });

  it("audits each change once with old and new values, and audits nothing if nothing changes", async () => {
    const { access: token, userId } = await signUp();
    await put(token, { full_name: "Asha Gurung", address: "Pokhara" });
    clock.advance(1000);
    await put(token, { full_name: "Asha Rai", address: "Pokhara" });
    await put(token, { full_name: "Asha Rai" });
    await put(token, {});
    expect((await traces(userId)).audits).toEqual([
      [
        { full_name: null, address: null },
        { full_name: "Asha Gurung", address: "Pokhara" },
      ],
      [{ full_name: "Asha Gurung" }, { full_name: "Asha Rai" }],
    ]);
    expect(await rows("select version from users where id = ?", userId)).toEqual([{ version: 3 }]);
  });

  it("requests a reminder only if the profile is still incomplete after a change", async () => {
    const { access: token, userId } = await signUp();
    await put(token, { full_name: "Asha Gurung" });
    expect((await traces(userId)).events).toEqual(["profile.reminder_due", "user.updated"]);
    await put(token, whole);
    expect((await traces(userId)).events).toEqual(["profile.reminder_due", "user.updated", "user.updated"]);
  });

  it("requests only one reminder however often an incomplete profile changes while it is pending", async () => {
    const [user, neighbour] = [await signUp(), await signUp()];
    const reminders = async (userId: string) =>
      (await traces(userId)).events.filter((type) => type === "profile.reminder_due").length;
    for (let i = 0; i < 5; i++) await put(user.access, { full_name: `Asha ${"G".repeat(i + 1)}` });
    await Promise.all([1, 2, 3].map((i) => put(user.access, { address: `Pokhara ${i}` })));
    expect(await reminders(user.userId)).toBe(1);
    await put(neighbour.access, { full_name: "Bikash Rai" });
    expect(await reminders(neighbour.userId)).toBe(1);
  });

  it("normalizes spaces and Unicode, and accepts Nepali digits", async () => {
    const { access: token } = await signUp();
    const answer = await put(token, { full_name: "  आशा \t गुरुङ ", date_of_birth: "१९९९-१२-३१", address: "Cafe\u0301" });
    expect(answer.body.data).toMatchObject({
      full_name: "आशा गुरुङ",
      date_of_birth: "1999-12-31",
      address: "Caf\u00e9",
    });
  });

  it.each([
    ["full_name", "A"],
    ["full_name", "x".repeat(256)],
    ["full_name", "Asha\u0000"],
    ["full_name", ["Asha"]],
    ["full_name", true],
    ["date_of_birth", "2999-01-01"],
    ["date_of_birth", "1999-02-30"],
    ["date_of_birth", "31.12.1999"],
    ["date_of_birth", "1899-12-31"],
    ["address", "x".repeat(256)],
    ["address", { street: "x" }],
    ["avatar_url", "http://img.example.com/a.png"],
    ["avatar_url", "javascript:alert(1)"],
    ["avatar_url", "not a url"],
    ["avatar_url", `https://img.example.com/${"a".repeat(2048)}`],
  ])("refuses %s %j, naming the field, and changes nothing", async (field, value) => {
    const { access: token } = await signUp();
    await put(token, whole);
    const answer = await put(token, { address: "elsewhere", [field]: value });
    expect([answer.status, answer.body.error.code]).toEqual([400, "validation_error"]);
    expect(Object.keys(answer.body.error.details)).toEqual([field]);
    expect((await get(token)).body.data).toMatchObject(whole);
  });

  it("accepts yesterday in Nepal as a birth date, and refuses today", async () => {
    const { access: token } = await signUp();
    const inNepal = (days: number) =>
      new Date(Date.now() + (5 * 60 + 45) * 60_000 + days * 86_400_000).toISOString().slice(0, 10);
    expect((await put(token, { date_of_birth: inNepal(0) })).status).toBe(400);
    expect((await put(token, { date_of_birth: inNepal(-1) })).status).toBe(200);
  });

  it("ignores read-only and unknown fields (ASVS 8.2.3)", async () => {
    const { access: token, userId } = await signUp();
    const before = (await get(token)).body.data;
    const answer = await put(token, {
      ...before,
      id: "x",
      user_id: "x",
      is_profile_complete: true,
      status: "BANNED",
      is_staff: true,
      created_at: "2000-01-01T00:00:00Z",
      ["__proto__"]: { role: "admin" },
      constructor: { prototype: { role: "admin" } },
    });
    expect(answer.status).toBe(200);
    expect((await get(token)).body.data).toEqual(before);
    expect(await rows("select status, role, version from users where id = ?", userId)).toEqual([
      { status: "ACTIVE", role: "user", version: 1 },
    ]);
  });

  it("shows and changes nothing after the session has ended", async () => {
    const { access: token, refresh: refreshToken, userId } = await signUp();
    await call("POST", "/api/auth/logout", { token, json: { refresh_token: refreshToken } });
    expect([(await get(token)).status, (await put(token, whole)).status]).toEqual([401, 401]);
    expect((await traces(userId)).audits).toEqual([]);
  });

  it("answers 500, not 401 or 404, if the profile row that every user has is missing", async () => {
    const { access: token, userId } = await signUp();
    await run("delete from profiles where user_id = ?", userId);
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    for (const answer of [await get(token), await put(token, whole), await patch(token, whole)]) {
      expect([answer.status, answer.body.error.code]).toEqual([500, "internal_error"]);
    }
    logged.mockRestore();
  });
});
