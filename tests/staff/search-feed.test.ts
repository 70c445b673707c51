import { describe, expect, it } from "vitest";
import { type CallOptions, call, newEmail, newPhone, type SignedIn, signUp, testEnv } from "../support/client.ts";
import { rows } from "../support/platform.ts";
import { Simulation } from "../support/simulator/simulation.ts";

/** A user whom staff may be. */
async function newStaff(): Promise<SignedIn> {
  const user = await signUp();
  await testEnv.DB.prepare("update users set role = 'staff' where id = ?").bind(user.userId).run();
  return user;
}

const find = async (staff: SignedIn, search: string, options: CallOptions = {}) => {
  const { body, status } = await call("GET", `/api/users?search=${encodeURIComponent(search)}`, {
    token: staff.access,
    ...options,
  });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.data.results.map(({ id }: { id: string }) => id);
};

describe("A user who signs up", () => {
  it("is found by a part of the number once the queue has delivered, and whole at once", async () => {
    const simulation = new Simulation(1);
    const staff = await newStaff();
    const phone = newPhone();
    const user = await signUp(phone, { env: {} });
    const national = phone.slice(4);
    expect(await find(staff, national)).toEqual([user.userId]);
    expect(await find(staff, national.slice(0, 8))).toEqual([]);
    await simulation.consume("search", [
      {
        id: "m",
        attempts: 1,
        body: {
          event_id: "e",
          type: "user_search.due",
          user_id: user.userId,
          payload: JSON.stringify({ user_id: user.userId }),
          created_at: 0,
        },
      },
    ]);
    expect(await find(staff, national.slice(0, 8))).toEqual([user.userId]);
    expect(await find(staff, national.slice(3))).toEqual([user.userId]);
    expect(await rows("select count(*) as n from dead_letters where queue = 'search'")).toEqual([{ n: 0 }]);
  });
});
void newEmail;
