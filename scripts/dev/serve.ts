import { watch } from "node:fs";
import { dirname, join } from "node:path";
import { stateFolder } from "../operations/local-database.ts";
import { prepareLocal } from "../operations/prepare.ts";
import { root } from "../operations/wrangler.ts";
import { announce } from "./announce.ts";
import { parentsOf } from "./parents.ts";
import { refuseSecond } from "./refuse-second.ts";
import { configurationFiles, readLocalSettings, writeLocalConfiguration } from "./settings.ts";
import { type Supervised, superviseWrangler } from "./supervise.ts";
import { whenParentEnds } from "./watch-parent.ts";

/** Runs the API at this address, and the Worker that stands for the other services on the next port. */
export async function serve(port: number, host: string): Promise<void> {
  const base = `http://${["127.0.0.1", "0.0.0.0"].includes(host) ? "localhost" : host}:${port}`;
  const state = stateFolder();
  const platformPort = port + 1;
  await refuseSecond([port, platformPort], host, state);
  prepareLocal();

  // wrangler looks for this file next to each configuration file.
  process.loadEnvFile(join(root, ".env"));
  // The two Workers find each other here; clones and ports have separate registries.
  process.env.WRANGLER_REGISTRY_PATH = join(root, ".wrangler", `registry-${port}`);

  const configFile = join(root, ".wrangler", `dev-${port}`, "wrangler.json");
  /** Writes the configuration anew; wrangler reloads it. */
  function configure(): string[] {
    const { vars, fromEnvironment } = readLocalSettings(base, process.env);
    writeLocalConfiguration(configFile, vars);
    return fromEnvironment;
  }
  const fromEnvironment = configure();
  if (fromEnvironment.length > 0) console.log(`From the environment: ${fromEnvironment.join(", ")}`);
  for (const folder of new Set(configurationFiles.map(dirname))) {
    watch(folder, (_, name) => {
      if (!name || !configurationFiles.includes(join(folder, name))) return;
      try {
        configure();
      } catch (error) {
        console.error(`The configuration was not read again: ${error instanceof Error ? error.message : error}`);
      }
    }).unref();
  }

  let isStopping = false;
  const servers: Supervised[] = [];

  /** Ends both servers, then this process. */
  async function stop(code: number): Promise<void> {
    if (isStopping) return;
    isStopping = true;
    await Promise.all(servers.map((server) => server.stop()));
    process.exit(code);
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(0));
  whenParentEnds(() => void stop(0), parentsOf());

  const style = {
    isJson: process.env.LOG === "json",
    isColored: process.stdout.isTTY === true && !process.env.NO_COLOR,
    showsBindings: true,
  };
  /** Whether the Worker has answered; until then, a refused configuration ends this process. */
  let hasServed = false;
  const giveUp = (reason: string) => {
    console.error(`\n${reason}`);
    void stop(1);
  };
  const common = ["--show-interactive-dev-session=false", "--persist-to", state];
  servers.push(
    superviseWrangler("The API", ["--config", configFile, "--ip", host, "--port", String(port), ...common], {
      style,
      write: (line) => console.log(line),
      onLogged({ event, reason }) {
        if (event !== "configuration_refused" || hasServed) return;
        giveUp(
          `The Worker refuses its settings: ${reason}. To generate new secrets, delete .dev.vars and start again.`,
        );
      },
      giveUp,
    }),
    // The stand-in listens on loopback only: anyone who reaches it can report anything.
    superviseWrangler(
      "The stand-in for the other services",
      [
        ...["--config", join("dev", "platform", "wrangler.toml"), "--inspector-port", "0"],
        ...["--ip", "127.0.0.1", "--port", String(platformPort), ...common],
      ],
      {
        style: { ...style, showsBindings: false },
        write: (line) => console.log(style.isJson && line.startsWith("{") ? line : `[other services] ${line}`),
        giveUp,
      },
    ),
  );

  /** Waits for the first successful response. False if the Worker refuses to serve, or this process is stopping. */
  async function isServing(): Promise<boolean> {
    for (let refusals = 0; refusals < 20 && !isStopping; ) {
      const status = await fetch(`${base}/api/health`).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 200) return true;
      if (status === 503) refusals += 1;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    return false;
  }

  hasServed = await isServing();
  if (hasServed) announce({ base, port, host });
  else if (!isStopping) giveUp("The Worker refuses to serve: the log above says why.");

  // wrangler does not trigger crons by itself.
  setInterval(() => {
    if (isStopping) return;
    // A server that is starting again needs no tick.
    fetch(`${base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch(() => {});
  }, 60_000);
}
