import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseEnv } from "node:util";
import { experimental_readRawConfig } from "wrangler";
import { settingNames } from "../../src/config.ts";
import { root } from "../operations/wrangler.ts";

const CONFIG = join(root, "wrangler.toml");
const DEV_VARS = join(root, ".dev.vars");

/** Files from which the configuration of a local server is made. */
export const configurationFiles = [CONFIG, DEV_VARS];

/** The settings of a local server, and which of them the environment sets. */
export interface LocalSettings {
  vars: Record<string, string>;
  /** Names of the settings in the environment, which come before all others. */
  fromEnvironment: string[];
}

/**
 * Reads every documented variable and secret: from the environment, otherwise from .dev.vars, otherwise from
 * wrangler.toml. ISSUER is `base`, and `base` is one of PASSKEY_ORIGINS, unless the environment or .dev.vars says
 * otherwise.
 *
 * @param devVars path of .dev.vars, which may be missing.
 */
export function readLocalSettings(base: string, environment: NodeJS.ProcessEnv, devVars = DEV_VARS): LocalSettings {
  const own: Readonly<Record<string, string | undefined>> = existsSync(devVars)
    ? parseEnv(readFileSync(devVars, "utf8"))
    : {};
  const { vars = {} } = rawConfig() as { vars?: Record<string, string> };
  const fromEnvironment = settingNames.filter((name) => environment[name] !== undefined);
  const chosen = {
    ...vars,
    ISSUER: base,
    // The staff console asks for passkeys at the server's own address.
    PASSKEY_ORIGINS: [...new Set([...(vars.PASSKEY_ORIGINS ?? "").split(","), base])].filter(Boolean).join(","),
    ...own,
    ...Object.fromEntries(fromEnvironment.map((name) => [name, environment[name]])),
  };
  const known = Object.entries(chosen).filter(([name]) => settingNames.includes(name));
  return { vars: Object.fromEntries(known) as Record<string, string>, fromEnvironment };
}

const rawConfig = () => experimental_readRawConfig({ config: CONFIG }).rawConfig as Record<string, unknown>;

interface Paths {
  main: string;
  alias: Record<string, string>;
  build: { command: string; watch_dir: string[] };
  assets: { directory: string };
  d1_databases: { migrations_dir: string }[];
}

/**
 * Writes the configuration of a local server: the top level of wrangler.toml with these variables. wrangler accepts
 * optional secrets only as variables, and variables on the command line are visible to every user of the machine; this
 * file is readable by its owner alone.
 */
export function writeLocalConfiguration(file: string, vars: Readonly<Record<string, string>>): void {
  const { env: _, secrets: __, ...config } = rawConfig();
  const { main, alias, build, assets, d1_databases } = config as unknown as Paths;
  const absolute = (path: string) => join(root, path);
  // wrangler joins a watched folder to the folder of the file, even if it is absolute.
  const watched = build.watch_dir.map((folder) => relative(dirname(file), absolute(folder)));
  const local = {
    ...config,
    vars,
    main: absolute(main),
    alias: Object.fromEntries(Object.entries(alias).map(([name, path]) => [name, absolute(path)])),
    build: { ...build, cwd: root, watch_dir: watched },
    assets: { ...assets, directory: absolute(assets.directory) },
    d1_databases: d1_databases.map((each) => ({ ...each, migrations_dir: absolute(each.migrations_dir) })),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(local, null, 2)}\n`, { mode: 0o600 });
}
