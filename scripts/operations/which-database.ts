import { flag, text } from "../arguments.ts";
import type { Target } from "./database.ts";
import { stateFolder } from "./local-database.ts";

/** Options of a command that works on the local databases or on production's. */
export const whichDatabase = {
  local: flag("use the local database, which is the default"),
  remote: flag("use the production database"),
  "persist-to": text("DIR", "folder of the local databases (default: PERSIST_TO, or .wrangler/state)"),
};

interface Chosen {
  local: boolean;
  remote: boolean;
  "persist-to": string | undefined;
}

/** The database that the options name. */
export function targetOf(chosen: Chosen, refuse: (message: string) => never): Target {
  if (chosen.local && chosen.remote) refuse("Use either --local or --remote, not both.");
  return chosen.remote ? { remote: true } : { remote: false, state: stateFolder(chosen["persist-to"]) };
}
