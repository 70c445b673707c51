import { expect, test } from "vitest";

/** Source text of every file of the Worker, by its path below `src/`. */
const sources = new Map(
  Object.entries(import.meta.glob<string>("../src/**/*.ts", { query: "?raw", import: "default", eager: true })).map(
    ([path, text]) => [path.replace("../src/", ""), text],
  ),
);

/** Areas from the bottom up: a file may import its own area and every lower row, never its neighbours in a row. */
const ROWS = [
  ["db"],
  ["platform"],
  ["nepal.ts"],
  ["sessions"],
  ["delivery", "users"],
  ["auth", "events"],
  ["staff"],
  ["console"],
  ["tasks"],
  ["config.ts"],
  ["build-deps.ts"],
  ["app.ts"],
  ["index.ts"],
];

/** Imports across a row, each with its reason. */
const ACROSS: Record<string, string> = {
  "delivery/local-outbox.routes.ts > users/identifier.ts": "the development outbox finds messages by any spelling",
};

/** Imports between roles that a rule forbids, each with its reason. */
const BETWEEN_ROLES: Record<string, string> = {
  "delivery/local-outbox.routes.ts > delivery/local-outbox.store.ts": "a development page of one read decides nothing",
};

/** What a file of a role may never import: packages by name, files by their role. */
const FORBIDDEN: Record<string, { packages: string[]; roles: string[]; areas: string[] }> = {
  routes: { packages: ["drizzle-orm"], roles: ["store"], areas: ["db"] },
  service: { packages: ["hono", "drizzle-orm"], roles: ["routes"], areas: ["db"] },
  store: { packages: ["hono"], roles: ["routes", "service"], areas: [] },
  views: { packages: ["hono", "drizzle-orm"], roles: ["routes", "service"], areas: [] },
};

interface Import {
  from: string;
  /** A path below `src/`, or a package's name. */
  to: string;
  isFile: boolean;
}

const imports = [...sources].flatMap(([from, text]) =>
  [...text.matchAll(/^(?:import|export)\b[^"';]*?from "([^"]+)"|\bimport\("([^"]+)"\)|^import "([^"]+)"/gm)].map(
    ([, first, second, third]): Import => {
      const target = first ?? second ?? third ?? "";
      return target.startsWith(".")
        ? { from, to: new URL(target, `file:///${from}`).pathname.slice(1), isFile: true }
        : { from, to: target, isFile: false };
    },
  ),
);

const areaOf = (path: string) => path.split("/")[0] ?? "";
const rowOf = (path: string) => ROWS.findIndex((row) => row.includes(areaOf(path)));
const roleOf = (path: string) => /\.(\w+)\.ts$/.exec(path)?.[1] ?? "";
const show = ({ from, to }: Import) => `${from} > ${to}`;

/** Files of the Worker; what lies outside `src/`, such as package.json, has no area. */
const fileImports = imports.filter(({ to, isFile }) => isFile && sources.has(to));

test("the other tests of this file have files and imports to check", () => {
  expect(sources.size).toBeGreaterThan(150);
  expect(fileImports.length).toBeGreaterThan(500);
  expect([...sources.keys()].filter((path) => rowOf(path) < 0)).toEqual([]);
});

test("an area imports only itself and lower areas", () => {
  const upward = fileImports.filter(({ from, to }) => areaOf(from) !== areaOf(to) && rowOf(to) >= rowOf(from));
  expect(upward.map(show).filter((each) => !(each in ACROSS))).toEqual([]);
  expect(Object.keys(ACROSS).filter((each) => !upward.map(show).includes(each))).toEqual([]);
});

/** Files of `platform/` that list texts or names of every area, since there is one catalogue of each. */
const CATALOGUES = [
  "platform/alerts.ts",
  "platform/http/error-catalogue.ts",
  "platform/http/field-errors.ts",
  ...["conventions", "headers", "tags"].map((name) => `platform/openapi/${name}.ts`),
];
/** Words of the areas above `platform/`: providers, the country, and what users own. */
const WORDS_ABOVE = /\b(?:google|apple|sparrow|fcm|firebase|nepal|kathmandu|npr|sms|kyc|wallet|rental)(?![a-z])/i;
/** A column of a table of the areas above, in SQL text. */
const COLUMNS_ABOVE = /\b(?:users|profiles|sessions|devices|wallets|points|kyc|otp_challenges)\.[a-z]\w*/;

test("platform code names no provider, country or table about users", () => {
  const knowing = [...sources]
    .filter(([path]) => areaOf(path) === "platform" && !CATALOGUES.includes(path))
    .filter(([, text]) => WORDS_ABOVE.test(text) || COLUMNS_ABOVE.test(text));
  expect(knowing.map(([path]) => path)).toEqual([]);
  const tables = fileImports.filter(({ from, to }) => areaOf(from) === "platform" && areaOf(to) === "db");
  expect([...new Set(tables.map(({ to }) => to))].toSorted()).toEqual(["db/event-urgency.ts", "db/platform-schema.ts"]);
});

test("routes call services and no stores, services use neither HTTP nor SQL, stores use neither HTTP nor services", () => {
  const wrong = imports.filter(({ from, to, isFile }) => {
    const rule = FORBIDDEN[roleOf(from)];
    if (!rule) return false;
    if (!isFile) return rule.packages.some((name) => to === name || to.startsWith(`${name}/`));
    return rule.roles.includes(roleOf(to)) || rule.areas.includes(areaOf(to));
  });
  expect(wrong.map(show)).toEqual(Object.keys(BETWEEN_ROLES));
});

test("no imports form a cycle", () => {
  const targets = Map.groupBy(fileImports, ({ from }) => from);
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]) => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" > "));
      return;
    }
    if (finished.has(path)) return;
    for (const { to } of targets.get(path) ?? []) visit(to, [...trail, path]);
    finished.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  expect(cycles).toEqual([]);
});

test("only the guards create claims of a role", () => {
  const making = /\bas (?:\w+ as )?(?:Staff|Admin|MaybeExpired)Claims\b|\bcheckedFor\b/;
  const makers = [...sources].filter(([, text]) => making.test(text)).map(([path]) => path);
  expect(makers.toSorted()).toEqual(["sessions/claims.ts", "sessions/guard.ts"]);
});

/** Files of `staff/` that may run a batch without a staff caller, each with its reason. */
const WITHOUT_CALLER: Record<string, string> = {
  "staff/staff-batch.store.ts": "it is the helper that adds the check",
  "staff/figures/refusal-counts.store.ts": "counts the refusals of any caller",
  "staff/directory/user-search.store.ts": "queries SEARCH_DB, which stores no roles, between two staff batches",
  "staff/directory/search-projection.store.ts": "works for tasks",
};

test("staff stores run their batches through the helper that checks session and role", () => {
  const direct = fileImports
    .filter(({ from, to }) => from.startsWith("staff/") && /^platform\/data\/(?:database|commit)\.ts$/.test(to))
    .filter(({ from }) => /\b(?:runBatch|commit)\(/.test(sources.get(from) ?? ""));
  expect([...new Set(direct.map(({ from }) => from))].toSorted()).toEqual(Object.keys(WITHOUT_CALLER).toSorted());
});

/** Variables with a promise that one invocation alone uses, each with its reason. */
const OWN_PROMISES: Record<string, string> = {
  "platform/http/upload.ts": "the admission of the request's own body",
};

test("no variable that outlives an invocation holds a promise, since workerd may never settle it; see pollUntil", () => {
  const holding = /^\s*(?:let \w+: .*\bPromise<|(?:const|let) \w+ = new (?:Weak)?Map<.*\bPromise<)/m;
  const holders = [...sources].filter(([, text]) => holding.test(text)).map(([path]) => path);
  expect(holders).toEqual(Object.keys(OWN_PROMISES));
});

test("a file has at most 250 lines", () => {
  const long = [...sources].filter(([, text]) => text.split("\n").length > 251);
  expect(long.map(([path]) => path)).toEqual([]);
});

test("statements are joined by mergeStatements, since a spread lets a later one silently replace an earlier one", () => {
  const inStores = [...sources].filter(([path]) => roleOf(path) === "store" || /^(tasks|events)\//.test(path));
  const spreads = inStores.flatMap(([path, text]) =>
    [
      ...text.matchAll(/^ *\.\.\.(\([^\n]*\b)?\w+\(deps, .*$|^ *\.\.\.(writes|reads|statements|effects|events),$/gm),
    ].map(([line]) => `${path}: ${line.trim()}`),
  );
  expect(spreads).toEqual([]);
});
