import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { refresh } from "./actions.ts";
import { makeStaff } from "./databases.ts";
import { call } from "./http.ts";
import { liveSessions, type Person } from "./journal.ts";
import { runClients } from "./life.ts";
import { newIdentifier, newIp, register } from "./sign-in.ts";
import { newWorld, type World } from "./world.ts";

// The client process: generates the load and records the responses. Started by `npm run load`.

const { values } = parseArgs({
  options: {
    url: { type: "string", default: "" },
    platform: { type: "string", default: "" },
    persist: { type: "string", default: "" },
    journal: { type: "string", default: "" },
    rate: { type: "string", default: "40" },
    clients: { type: "string", default: "160" },
    seconds: { type: "string", default: "300" },
    seed: { type: "string", default: "1" },
  },
});

const STAFF = 3;
/** Access tokens are valid for 15 minutes. */
const STAFF_REFRESH_MS = 5 * 60_000;

const settings = { url: values.url, platformUrl: values.platform, seed: Number(values.seed) };
const eve = newWorld({ ...settings, rate: 50, seconds: 60 });
const staff: Person[] = [];
for (let i = 0; i < STAFF; i++) staff.push(await register(eve, newIdentifier(eve), newIp(eve), undefined));
makeStaff(
  values.persist,
  staff.map(({ userId }) => userId),
);

const world = newWorld({
  ...settings,
  seed: settings.seed + 1,
  rate: Number(values.rate),
  seconds: Number(values.seconds),
});
world.staff.push(...staff);
world.journal.people.push(...staff);
const staffRefresh = setInterval(() => {
  for (const member of staff) {
    const [session] = liveSessions(member);
    if (session) refresh(world, member, session).catch(() => {});
  }
}, STAFF_REFRESH_MS);
console.log("begin");
const startedAt = Date.now();
await Promise.all(Array.from({ length: Number(values.clients) }, () => runClients(world)));
clearInterval(staffRefresh);
world.journal.seconds = (Date.now() - startedAt) / 1000;
console.log("end");
await probe({ ...world, journal: { ...world.journal, calls: [] } });
writeFileSync(values.journal, JSON.stringify(world.journal));
process.exit();

/** Checks for many sessions that active ones are accepted and ended ones are not. */
async function probe(world: World): Promise<void> {
  const certain = world.journal.people.filter(({ isUncertain }) => !isUncertain);
  for (const { status, sessions } of certain.slice(-300)) {
    for (const { access, ip, hasEnded } of sessions) {
      const isIn = !hasEnded && status === "ACTIVE";
      await call(world, { method: "GET", path: "/api/auth/me", ip, token: access, expect: [isIn ? 200 : 401] }).catch(
        () => {},
      );
    }
  }
}
