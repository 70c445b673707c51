import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DeployedEnvironment, readConfiguration, textVars } from "../../scripts/operations/configuration.ts";
import type { Wrangler, WranglerResult } from "../../scripts/operations/wrangler.ts";
import { parseConfig } from "../../src/config.ts";
import { type Config, ConfigError } from "../../src/platform/config/config.ts";

/** Thrown by a command that wrangler would refuse; its message is what wrangler prints. */
class Refused extends Error {}

const refuse = (message: string): never => {
  throw new Refused(message);
};

const varsOf = (args: readonly string[]) => {
  const [env, path = ""] = ["--env", "--config"].map((name) => args[args.indexOf(name) + 1]);
  return textVars(readConfiguration(path, env as DeployedEnvironment));
};

/**
 * A Cloudflare account in memory, with a stand-in for wrangler that understands the commands of a deployment, stores
 * what they create and prints wrangler's messages.
 */
export class FakeAccount {
  databases: { name: string; uuid: string }[] = [];
  namespaces: { title: string; id: string }[] = [];
  buckets: string[] = [];
  queues: string[] = [];
  secrets: Record<string, string> = {};
  isWorkerThere = false;
  /** Bindings of the databases whose migrations were applied, in order. */
  migrated: string[] = [];
  /** Whether the search database has entries. */
  hasSearchEntries = false;
  /** The SQL that was run on the primary. */
  executed: string[] = [];
  /** Every version of the Worker, oldest first; the first two may be the empty ones that setting secrets creates. */
  versions: string[] = [];
  /** Which versions serve which percentage of the traffic, oldest first. */
  deployments: { created_on: string; versions: { version_id: string; percentage: number }[] }[] = [];
  /** Versions without code, which setting the secrets of a new Worker creates. */
  private readonly empty = new Set<string>();
  /** The variables of the latest version, which a changed secret keeps. */
  private vars: Record<string, string> = {};
  /** The variables and secrets of each version. */
  private readonly settings = new Map<string, Record<string, unknown>>();
  /** Versions whose health check fails. */
  unhealthy = new Set<string>();
  /** The host of the Worker, once a deployment has named one. */
  domain: string | undefined;
  /** Every command, as typed. */
  calls: string[] = [];
  /** Commands that begin with this text fail as with a broken network. */
  failing: string | undefined;

  readonly wrangler: Wrangler = (args, input): WranglerResult => {
    const command = args.join(" ");
    this.calls.push(command);
    try {
      if (this.failing !== undefined && command.startsWith(this.failing)) refuse("fetch failed");
      const stdout = this.run(args, input ?? "");
      return { ok: true, stdout, output: stdout };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { ok: false, stdout: "", output: `✘ [ERROR] ${error.message}` };
    }
  };

  /** Runs a command and returns what wrangler prints. */
  private run(args: readonly string[], input: string): string {
    const [noun, verb, third = "", fourth = ""] = args.filter((each) => !each.startsWith("-"));
    switch (`${noun} ${verb}`) {
      case "whoami undefined":
        return JSON.stringify({ loggedIn: true });
      case "d1 list":
        return JSON.stringify(this.databases);
      case "d1 create":
        return this.create(this.databases, "name", { name: third, uuid: crypto.randomUUID() });
      case "kv namespace":
        if (third === "list") return JSON.stringify(this.namespaces);
        return this.create(this.namespaces, "title", { title: fourth, id: crypto.randomUUID().replaceAll("-", "") });
      case "r2 bucket":
        if (third === "create") return this.createNamed(this.buckets, fourth);
        if (!this.buckets.includes(fourth)) refuse("The specified bucket does not exist. [code: 10006]");
        return JSON.stringify({ name: fourth });
      case "queues info":
        if (!this.queues.includes(third))
          refuse(`Queue "${third}" does not exist. To create it, run: wrangler queues create ${third}`);
        return "";
      case "queues create":
        return this.createNamed(this.queues, third);
      case "secret list":
        if (!this.isWorkerThere) refuse('Worker "users-api" (env: production) not found.');
        return JSON.stringify(Object.keys(this.secrets).map((name) => ({ name, type: "secret_text" })));
      case "secret bulk":
        return this.changeSecrets({ ...this.secrets, ...JSON.parse(input) });
      case "secret put":
        return this.changeSecrets({ ...this.secrets, [third]: input });
      case "secret delete": {
        const { [third]: deleted = refuse(`Secret "${third}" not found`), ...others } = this.secrets;
        return this.changeSecrets(others);
      }
      case "d1 migrations":
        return this.migrate(args, fourth);
      case "d1 execute":
        return this.execute(third, args[args.indexOf("--command") + 1] ?? "");
      case "deployments list":
        if (!this.isWorkerThere) refuse('Worker "users-api" (env: production) not found.');
        return JSON.stringify(this.deployments);
      case "versions view":
        return JSON.stringify({ id: third, resources: { bindings: this.bindingsOf(third) } });
      case "versions upload":
        return `Worker Version ID: ${this.newVersion(varsOf(args))}`;
      case "versions deploy":
        return this.split(...args.flatMap((each) => this.shareOf(each)));
      case "triggers deploy":
        return "";
      default:
        if (noun === "rollback") return this.split([String(verb), 100]);
        if (noun !== "deploy") refuse(`Unknown command: ${args.join(" ")}`);
        return this.deploy(args);
    }
  }

  private create<Key extends string, One extends Record<Key, string>>(known: One[], key: Key, one: One): string {
    if (known.some((each) => each[key] === one[key])) refuse(`${one[key]} already exists`);
    known.push(one);
    return "";
  }

  private createNamed(known: string[], name: string): string {
    if (known.includes(name)) refuse(`${name} already exists`);
    known.push(name);
    return "";
  }

  private migrate(args: readonly string[], binding: string): string {
    const toml = readFileSync(args[args.indexOf("--config") + 1] ?? "", "utf8");
    if (!this.databases.every(({ uuid }) => toml.includes(uuid))) refuse("Couldn't find a D1 DB");
    this.migrated.push(binding);
    return "";
  }

  private execute(binding: string, sql: string): string {
    if (!this.migrated.includes(binding)) refuse("no such table");
    if (binding === "DB") this.executed.push(sql);
    const results = binding === "SEARCH_DB" && !this.hasSearchEntries ? [{ is_empty: 1 }] : [];
    return JSON.stringify([{ results, success: true }]);
  }

  private deploy(args: readonly string[]): string {
    if (args.includes("--dry-run")) {
      const folder = args.includes("--outdir") ? args[args.indexOf("--outdir") + 1] : undefined;
      if (folder !== undefined) writeFileSync(join(folder, "index.js"), "// the bundle");
      return "Total Upload: 1 KiB";
    }
    if (Object.keys(this.secrets).length < 4) refuse("The following required secrets have not been set");
    if (!this.isWorkerThere) refuse("The following required secrets have not been set: this Worker does not exist yet");
    const version = this.newVersion(varsOf(args));
    this.domain = args[args.indexOf("--domain") + 1];
    this.split([version, 100]);
    return `Current Version ID: ${version}`;
  }

  /**
   * A changed secret makes a version with the latest code and variables, and gives it all traffic at once. For a new
   * Worker, wrangler uploads an empty version first.
   */
  private changeSecrets(secrets: Record<string, string>): string {
    const latest = this.versions.at(-1);
    const isEmpty = latest === undefined || this.empty.has(latest);
    this.secrets = secrets;
    for (const _ of this.isWorkerThere ? ["secrets"] : ["upload", "secrets"]) {
      const version = this.newVersion(this.vars);
      if (isEmpty) this.empty.add(version);
      this.split([version, 100]);
    }
    this.isWorkerThere = true;
    return "";
  }

  private newVersion(vars: Record<string, string>): string {
    const version = crypto.randomUUID();
    this.vars = vars;
    this.settings.set(version, { ...vars, ...this.secrets, EMAIL: {} });
    this.versions.push(version);
    return version;
  }

  private bindingsOf(version: string): { type: string; name: string }[] {
    if (!this.versions.includes(version)) refuse(`Version ${version} not found`);
    const secrets = Object.keys(this.secrets).map((name) => ({ type: "secret_text", name }));
    return this.empty.has(version) ? secrets : [...secrets, { type: "d1", name: "DB" }];
  }

  private shareOf(argument: string): [string, number][] {
    const [version, share] = argument.split("@");
    return share === undefined ? [] : [[version ?? "", Number(share.replace("%", ""))]];
  }

  private split(...shares: [string, number][]): string {
    const unknown = shares.find(([version]) => !this.versions.includes(version));
    if (unknown) refuse(`Version ${unknown[0]} not found`);
    const versions = shares.map(([version_id, percentage]) => ({ version_id, percentage }));
    const second = String(this.deployments.length).padStart(2, "0");
    this.deployments.push({ created_on: `2026-11-30T00:00:${second}Z`, versions });
    return "";
  }

  /** The version with most of the traffic. */
  get main(): string | undefined {
    return this.deployments.at(-1)?.versions.toSorted((a, b) => b.percentage - a.percentage)[0]?.version_id;
  }

  /** The configuration of the version with most of the traffic; undefined if the Worker refuses it. */
  get config(): Config | undefined {
    return this.configOf(this.main);
  }

  private configOf(version: string | undefined): Config | undefined {
    try {
      return parseConfig(this.settings.get(version ?? "") ?? {});
    } catch (refusal) {
      if (!(refusal instanceof ConfigError)) throw refusal;
      return undefined;
    }
  }

  /** Whether every version that serves traffic accepts its configuration. */
  get isServing(): boolean {
    const serving = this.deployments.at(-1)?.versions.filter(({ percentage }) => percentage > 0) ?? [];
    return serving.every(({ version_id }) => this.configOf(version_id) !== undefined);
  }

  /** What `GET /api/health` answers; the header asks for one of the versions of the present deployment. */
  health(headers: Readonly<Record<string, string>> = {}): { status: number; text: string } {
    if (this.domain === undefined) return { status: 0, text: "" };
    const [, wanted] = /="(.+)"$/.exec(headers["Cloudflare-Workers-Version-Overrides"] ?? "") ?? [];
    const deployed = this.deployments.at(-1)?.versions.map(({ version_id }) => version_id) ?? [];
    const version_id = wanted !== undefined && deployed.includes(wanted) ? wanted : this.main;
    if (!this.configOf(version_id)) return { status: 503, text: '{"error":{"code":"service_unavailable"}}' };
    const status = this.unhealthy.has(String(version_id)) ? 503 : 200;
    return { status, text: JSON.stringify({ data: { version_id, bindings: {} } }) };
  }
}
