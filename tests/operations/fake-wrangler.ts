import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// A stand-in for wrangler with an account: understands the commands of a deployment, stores what they create in a
// folder, and prints wrangler's messages. Commands that begin with the text in the file `failing` fail as with a broken
// network.

interface Account {
  databases: { name: string; uuid: string }[];
  namespaces: { title: string; id: string }[];
  buckets: string[];
  queues: string[];
  secrets: Record<string, string>;
  workerExists: boolean;
  migrated: string[];
  deployments: string[][];
}

const folder = process.env.FAKE_ACCOUNT ?? "";
const stateFile = join(folder, "account.json");
const failingFile = join(folder, "failing");
const args = process.argv.slice(2);
const command = args.join(" ");
appendFileSync(join(folder, "calls"), `${command}\n`);

const account: Account = existsSync(stateFile)
  ? (JSON.parse(readFileSync(stateFile, "utf8")) as Account)
  : {
      databases: [],
      namespaces: [],
      buckets: [],
      queues: [],
      secrets: {},
      workerExists: false,
      migrated: [],
      deployments: [],
    };

function fail(message: string): never {
  console.error(`✘ [ERROR] ${message}`);
  process.exit(1);
}

const failing = existsSync(failingFile) ? readFileSync(failingFile, "utf8") : undefined;
if (failing && command.startsWith(failing)) fail("fetch failed");

const words = args.filter((each) => !each.startsWith("-"));
const [noun, verb, third = "", fourth = ""] = words;
const id = () => crypto.randomUUID();
const newOne = (known: string[], name: string) => {
  if (known.includes(name)) fail(`${name} already exists`);
};

switch (`${noun} ${verb}`) {
  case "whoami undefined":
    console.log(JSON.stringify({ loggedIn: true }));
    break;
  case "d1 list":
    console.log(JSON.stringify(account.databases));
    break;
  case "d1 create":
    newOne(
      account.databases.map(({ name }) => name),
      third,
    );
    account.databases.push({ name: third, uuid: id() });
    break;
  case "kv namespace":
    if (third === "list") console.log(JSON.stringify(account.namespaces));
    else {
      newOne(
        account.namespaces.map(({ title }) => title),
        fourth,
      );
      account.namespaces.push({ title: fourth, id: id().replaceAll("-", "") });
    }
    break;
  case "r2 bucket":
    if (third === "info") {
      if (!account.buckets.includes(fourth)) fail("The specified bucket does not exist. [code: 10006]");
      console.log(JSON.stringify({ name: fourth }));
    } else {
      newOne(account.buckets, fourth);
      account.buckets.push(fourth);
    }
    break;
  case "queues info":
    if (!account.queues.includes(third))
      fail(`Queue "${third}" does not exist. To create it, run: wrangler queues create ${third}`);
    break;
  case "queues create":
    newOne(account.queues, third);
    account.queues.push(third);
    break;
  case "secret list":
    if (!account.workerExists) fail('Worker "users-api" (env: production) not found.');
    console.log(JSON.stringify(Object.keys(account.secrets).map((name) => ({ name, type: "secret_text" }))));
    break;
  case "secret bulk":
    Object.assign(account.secrets, JSON.parse(readFileSync(0, "utf8")));
    account.workerExists = true;
    break;
  case "d1 migrations": {
    const toml = readFileSync(args[args.indexOf("--config") + 1] ?? "", "utf8");
    const known = account.databases.filter(({ uuid }) => toml.includes(uuid));
    if (known.length !== account.databases.length) fail("Couldn't find a D1 DB");
    account.migrated.push(fourth);
    break;
  }
  default:
    if (noun !== "deploy") fail(`Unknown command: ${command}`);
    if (Object.keys(account.secrets).length < 4) fail("The following required secrets have not been set");
    if (!account.workerExists) fail("The following required secrets have not been set: this Worker does not exist yet");
    account.deployments.push(args);
}
writeFileSync(stateFile, JSON.stringify(account));
