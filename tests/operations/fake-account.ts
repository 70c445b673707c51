import { readFileSync } from "node:fs";
import type { Wrangler, WranglerResult } from "../../scripts/operations/wrangler.ts";

/** Thrown by a command that wrangler would refuse; its message is what wrangler prints. */
class Refused extends Error {}

const refuse = (message: string): never => {
  throw new Refused(message);
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
  /** The arguments of each `wrangler deploy`. */
  deployments: (readonly string[])[] = [];
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
        Object.assign(this.secrets, JSON.parse(input));
        this.isWorkerThere = true;
        return "";
      case "d1 migrations":
        return this.migrate(args, fourth);
      default:
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

  private deploy(args: readonly string[]): string {
    if (Object.keys(this.secrets).length < 4) refuse("The following required secrets have not been set");
    if (!this.isWorkerThere) refuse("The following required secrets have not been set: this Worker does not exist yet");
    this.deployments.push(args);
    return "";
  }
}
