import { count, positive, readArguments } from "../../scripts/arguments.ts";

const { options } = readArguments({
  name: "bench:deletion",
  about:
    "Measures how one user's deletions slow down all other users, as times of GET auth/me: alone, during loops of refused deletions, and while an account with a long history is deleted. Prints a Markdown table, and exits with 1 and the reason if others wait too long or data of the account remains.",
  options: {
    users: count("N", "users in the databases", { default: 100_000 }),
    audits: count("N", "rows of the account's audit log", { default: 150_000 }),
    events: count("N", "events of the account", { default: 300_000 }),
    loops: count("N", "loops of refused deletions", { default: 3 }),
    seconds: positive("SECONDS", "how long each part is measured", { default: 10 }),
  },
});

const { measureDeletion } = await import("./deletion/run.ts");
await measureDeletion(options);
