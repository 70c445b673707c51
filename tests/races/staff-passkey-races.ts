import { Authenticator } from "../support/authenticator.ts";
import { newIp, type SignedIn } from "../support/client.ts";
import { count, rows, run } from "../support/database.ts";
import { newUser, promote, withoutWriteLimit } from "../support/kyc.ts";
import { addPasskey, ownOptions, signInBy } from "../support/passkeys.ts";
import { type FetchHandler, realHandler } from "../support/simulator/simulation.ts";
import {
  CLIENTS,
  headersOf,
  noServerErrors,
  type RaceSetting,
  simulationOf,
  successes,
  times,
  Verdict,
} from "./race.ts";
import { recordLateCalls } from "./staff-races.ts";

const env = { ...withoutWriteLimit, STAFF_PASSKEYS: "required" } as unknown as Partial<Env>;
const reason = "lost phone";

/** A member of staff with passkeys, and a session that each of them opened. */
async function newMember(role: "staff" | "admin", howMany = 1) {
  const person = await newUser();
  const [ids, sessions]: [string[], SignedIn[]] = [[], []];
  for (let i = 0; i < howMany; i++) {
    const { authenticator, passkey } = await addPasskey(person);
    ids.push(passkey.id);
    sessions.push(await signInBy(authenticator, { env }));
  }
  await promote(person, role);
  return { person, ids, token: (index = 0) => sessions[index]?.access ?? "" };
}

const passkeysOf = ({ userId }: SignedIn) => count("from passkeys where user_id = ?", userId);

/**
 * R20: acts of a member of staff around an act that takes the proof or the role: none that starts after its answer
 * succeeds, and each success left its row.
 */
export function staffActs(ending: "reset" | "demotion" | "removal of the passkey") {
  return async (setting: RaceSetting): Promise<Verdict> => {
    const verdict = new Verdict();
    const [admin, member, target] = [await newMember("admin"), await newMember("staff", 2), await newUser()];
    const { person, ids } = member;
    const user = `/api/users/${person.userId}`;
    const act = {
      reset: { method: "POST", path: `${user}/passkey-reset`, token: admin.token(), json: { reason } },
      demotion: { method: "PUT", path: `${user}/role`, token: admin.token(), json: { role: "user", reason } },
      "removal of the passkey": {
        method: "DELETE",
        path: `/api/auth/passkeys/${ids[0]}`,
        // The other passkey opened this session.
        token: member.token(1),
        json: undefined,
      },
    }[ending];
    const isAct = (path: string, method: string) => path === act.path && method === act.method;
    const written = () => count("from audit_logs where user_id = ? and entity_type = 'note'", target.userId);
    let writtenBefore = -1;
    const counting: FetchHandler = async (request, bindings, context) => {
      const response = await (setting.handler ?? realHandler)(request, bindings, context);
      if (isAct(new URL(request.url).pathname, request.method)) writtenBefore = await written();
      return response;
    };
    const { watched, late } = recordLateCalls(counting, isAct, realHandler);
    const notes = `/api/users/${target.userId}/notes`;
    const around = Array.from({ length: CLIENTS }, (_, i) => ({
      method: "POST",
      path: notes,
      options: {
        env,
        token: member.token(),
        json: { text: `note ${i}` },
        headers: { ...headersOf(setting), "x-call": String(i), "x-turns": String(i % 12) },
      },
    }));
    const half = CLIENTS / 2;
    const ends = {
      method: act.method,
      path: act.path,
      options: { env, token: act.token, headers: { "x-turns": "4" }, ...(act.json ? { json: act.json } : {}) },
    };
    const results = await simulationOf({ ...setting, handler: watched }).race([
      ...around.slice(0, half),
      ends,
      ...around.slice(half),
    ]);
    noServerErrors(verdict, results);
    const [answer] = results.slice(half, half + 1);
    verdict.equal("status of the act", answer === "died" ? answer : answer?.status, 200);
    const acts = [...results.slice(0, half), ...results.slice(half + 1)];
    const accepted = acts.filter((each, i) => each !== "died" && each.status < 300 && late.has(String(i)));
    verdict.equal("accepted of what started after the answer", accepted.length, 0);
    if (!setting.isCalm) verdict.equal("some started after the answer", late.size > 0, true);
    verdict.equal("notes written after the answer", (await written()) - writtenBefore, 0);
    verdict.equal("notes", await written(), successes(acts).length);
    return verdict;
  };
}

/** R20: many new passkeys for one enrolment window at once: one is added. */
export async function enrolments(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const person = await newUser();
  await promote(person);
  await run("update users set passkey_enrolment_until = ? where id = ?", Date.now() + 3_600_000, person.userId);
  const credentials: unknown[] = [];
  for (let i = 0; i < CLIENTS / 4; i++) {
    const options = await ownOptions(person, "REGISTER", { env, ip: newIp() });
    credentials.push(await (await Authenticator.create()).register(options));
  }
  const results = await simulationOf(setting).race(
    credentials.flatMap((credential, i) =>
      times(4, "/api/auth/passkeys", {
        env,
        token: person.access,
        json: { credential },
        headers: headersOf(setting, `enrolment-${i}`),
      }),
    ),
  );
  noServerErrors(verdict, results);
  verdict.equal("passkeys", await passkeysOf(person), 1);
  const added = new Set(successes(results).map(({ body }) => body.data.id));
  verdict.equal("different passkeys in the answers", added.size, 1);
  const audit = "from audit_logs where user_id = ? and entity_type = 'passkey'";
  verdict.equal("audit rows", await count(audit, person.userId), 1);
  const [user] = await rows("select passkey_enrolment_until as until from users where id = ?", person.userId);
  verdict.equal("the window", user?.until, null);
  return verdict;
}

/** R20: all passkeys of a member of staff removed at once: the last one stays. */
export async function lastPasskey(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const { person, ids, token } = await newMember("staff", 3);
  const results = await simulationOf(setting).race(
    ids.flatMap((id) =>
      times(CLIENTS / 4, `/api/auth/passkeys/${id}`, { env, token: token(), headers: headersOf(setting) }).map(
        (call) => ({ ...call, method: "DELETE" }),
      ),
    ),
  );
  noServerErrors(verdict, results);
  verdict.equal("passkeys", await passkeysOf(person), 1);
  verdict.equal("removals answered with success", successes(results).length, ids.length - 1);
  return verdict;
}
