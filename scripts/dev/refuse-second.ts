import { connect } from "node:net";
import { relative } from "node:path";
import { openDatabases } from "../seed/databases.ts";
import { claimState } from "./claim-state.ts";

const ANOTHER = "PORT=8797 PERSIST_TO=.wrangler/state-8797 npm run";

/** Ends the process with 1 if one of the ports is in use; `command` is the one that uses them. */
export async function refuseTakenPorts(ports: readonly number[], host: string, command: string): Promise<void> {
  for (const each of ports) {
    if (!(await isTaken(each, host))) continue;
    console.error(
      `Port ${each} is in use. Stop the program that uses it, or choose other ports and databases: ${ANOTHER} ${command}`,
    );
    process.exit(1);
  }
}

/** Claims the databases in `state` for this server. Ends the process with 1 if they, or one of the ports, are in use. */
export async function refuseSecond(ports: readonly number[], host: string, state: string): Promise<void> {
  await refuseTakenPorts(ports, host, "dev");
  if (!areDatabasesFree(state)) {
    console.error(
      `Another server has the local databases in ${relative(process.cwd(), state) || state} open. Stop it, or choose other ones: ${ANOTHER} dev`,
    );
    process.exit(1);
  }
}

/** Whether the port is in use; wrangler would silently choose another one. */
function isTaken(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host === "0.0.0.0" ? "127.0.0.1" : host);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Whether no other server uses the databases; claims them for this one. */
function areDatabasesFree(state: string): boolean {
  if (!claimState(state)) return false;
  try {
    openDatabases(state)?.close();
    return true;
  } catch {
    return false;
  }
}
