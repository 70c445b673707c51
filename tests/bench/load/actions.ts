import { randomBytes } from "node:crypto";
import { deflateSync } from "node:zlib";
import { chunk, concat, file, jpeg } from "../../support/documents.ts";
import { type Call, call, callUntilHeard } from "./http.ts";
import { count, liveSessions, type Person, type Session } from "./journal.ts";
import { recordProblem, type World } from "./world.ts";

// Actions of a signed-in user, and what must be true afterwards.

type Action = (world: World, person: Person, session: Session) => Promise<unknown>;

const asUser = (session: Session, what: Omit<Call, "ip" | "token">): Call => ({
  ...what,
  ip: session.ip,
  token: session.access,
});

/** A read that has no effect. */
export const read =
  (path: string, expect: Call["expect"] = [200]): Action =>
  (world, _person, session) =>
    call(world, asUser(session, { method: "GET", path, expect }));

/** Changes the profile, or sends the current values again. */
export const changeProfile: Action = async (world, person, session) => {
  const change: Record<string, string> = { address: `Ward ${world.serial()}, Pokhara` };
  if (world.chance(0.5)) Object.assign(change, { full_name: `Asha ${world.serial()}`, date_of_birth: "1999-12-31" });
  const json = world.chance(0.15) && person.profile.address ? { address: person.profile.address } : change;
  const answer = await callUntilHeard(
    world,
    asUser(session, { method: "PATCH", path: "/api/users/profile", json, expect: [200] }),
  );
  if (json === change) count(person.audits, "UPDATE profile");
  Object.assign(person.profile, json);
  if (answer.data.address !== person.profile.address) recordProblem(world, "a profile does not say what was written");
};

/** Rotates the refresh token, sometimes twice at the same time as impatient apps do. */
export const refresh: Action = async (world, _person, session) => {
  const json = { refresh: session.refresh };
  const what: Call = { method: "POST", path: "/api/auth/refresh", json, ip: session.ip, expect: [200] };
  const key = world.chance(0.5) ? crypto.randomUUID() : undefined;
  const answers = world.chance(0.15)
    ? await Promise.all([call(world, what), call(world, what)])
    : [await callUntilHeard(world, { ...what, key })];
  const successors = new Set(answers.map(({ data }) => String(data.refresh)));
  if (successors.size !== 1) recordProblem(world, "one refresh token has two successors");
  session.earlier.push(session.refresh);
  session.refresh = String(answers[0]?.data.refresh);
  session.access = String(answers[0]?.data.access);
};

/** Registers a device, or registers it again unchanged. */
export const registerDevice: Action = async (world, person, session) => {
  const device = `device-${person.userId}`;
  const json = { device_id: device, fcm_token: `token-of-${device}`, device_type: "ANDROID", device_name: "Phone" };
  await callUntilHeard(world, asUser(session, { method: "POST", path: "/api/auth/device", json, expect: [200, 201] }));
  if (person.devices === 0) count(person.audits, "CREATE device");
  person.devices = 1;
};

/** Incompressible grey noise with about one byte per pixel. */
function noise(side: number) {
  const size = [side >> 24, (side >> 16) & 255, (side >> 8) & 255, side & 255];
  const rows = Array.from({ length: side }, () => Buffer.concat([Buffer.of(0), randomBytes(side)]));
  const pixels = deflateSync(Buffer.concat(rows));
  return concat(
    "\x89PNG\r\n\x1a\n",
    chunk("IHDR", [...size, ...size, 8, 0, 0, 0, 0]),
    chunk("IDAT", pixels),
    chunk("IEND"),
  );
}
const pictures = [file(noise(64), "small.png"), file(noise(400), "large.png"), file(jpeg(), "id.jpg")];

/**
 * Submits documents or replaces them. Uses an idempotency key, because without one a repetition is another submission.
 */
export const submitKyc: Action = async (world, person, session) => {
  if (person.kyc?.status === "APPROVED" || (person.kyc && person.kyc.version >= 4)) return;
  const form = new FormData();
  const hasBack = world.chance(0.6);
  form.append("document_number", `NP-${world.serial()}`);
  form.append("document_front", world.pick(pictures));
  if (hasBack) form.append("document_back", world.pick(pictures));
  const key = crypto.randomUUID();
  await callUntilHeard(world, asUser(session, { method: "POST", path: "/api/users/kyc", form, key, expect: [201] }));
  count(person.audits, person.kyc ? "UPDATE kyc" : "CREATE kyc");
  person.kyc = { version: (person.kyc?.version ?? 0) + 1, status: "PENDING", files: hasBack ? 2 : 1 };
};

/** Ends the session; all of its tokens stop working immediately. */
export const logOut: Action = async (world, person, session) => {
  const json = { refresh_token: session.refresh };
  const what = asUser(session, { method: "POST", path: "/api/auth/logout", json, expect: [200] });
  await callUntilHeard(world, what, [200, "401 token_not_valid"]);
  await expectEnded(world, person, [session]);
};

/** Ends every session but this one. */
export const endOthers: Action = async (world, person, session) => {
  await callUntilHeard(world, asUser(session, { method: "DELETE", path: "/api/auth/sessions", expect: [200] }));
  await expectEnded(
    world,
    person,
    liveSessions(person).filter((each) => each !== session),
  );
};

/** Presents a refresh token that was used long ago, as a thief would; this ends the session. */
export const showSpentToken: Action = async (world, person, session) => {
  const [spent] = session.earlier.slice(-2, -1);
  if (!spent) return;
  const json = { refresh: spent };
  await call(world, {
    method: "POST",
    path: "/api/auth/refresh",
    json,
    ip: session.ip,
    expect: ["401 token_not_valid"],
  });
  await expectEnded(world, person, [session]);
};

/** Deletes the account if nothing prevents it. */
export const deleteAccount: Action = async (world, person, session) => {
  const what = asUser(session, {
    method: "DELETE",
    path: "/api/auth/account",
    json: {},
    expect: [200, "409 open_rental", "409 debt_due"],
  });
  const answer = await callUntilHeard(world, what, [200, "409 open_rental", "409 debt_due", "401 token_not_valid"]);
  if (answer.status === 409) return;
  person.isDeleted = true;
  count(person.audits, "DELETE user");
  await expectEnded(world, person, liveSessions(person), false);
};

/** Records that the sessions have ended and checks that none of their tokens is accepted any more. */
export async function expectEnded(world: World, person: Person, ended: Session[], isAudited = true): Promise<void> {
  for (const session of ended) {
    session.hasEnded = true;
    if (isAudited) count(person.audits, "LOGOUT session");
  }
  for (const session of ended) {
    const json = { refresh: session.refresh };
    const { ip } = session;
    const refused: Call["expect"] = ["401 token_not_valid"];
    await call(world, asUser(session, { method: "GET", path: "/api/auth/me", expect: refused }));
    await call(world, {
      method: "POST",
      path: "/api/auth/refresh",
      json,
      ip,
      expect: [...refused, "403 account_inactive"],
    });
  }
}
