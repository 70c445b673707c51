import { stateFolder } from "../operations/local-database.ts";
import { localBase } from "../operations/local-server.ts";
import { localSecrets } from "../operations/prepare.ts";
import { showProgress } from "../progress/progress.ts";
import { ADMIN_EMAIL } from "./people.ts";
import { seedUsers } from "./seed-users.ts";

interface Wanted {
  users: number;
  seed: number;
  /** All users joined before this, in epoch milliseconds. */
  until: number;
}

/** Adds users to the local databases of PERSIST_TO; ends the process with 1, after a message, on failure. */
export async function seedLocal({ users, seed, until }: Wanted): Promise<void> {
  const persistTo = process.env.PERSIST_TO;
  const base = localBase();
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);

  try {
    await seedUsers({
      persistTo,
      state: stateFolder(persistTo),
      users,
      seed,
      until,
      secrets: localSecrets(),
      onProgress: showProgress("preparing the databases"),
    });
    console.log(`Added ${users.toLocaleString("en")} users in ${seconds()} s.
Staff console: after npm run dev, open ${base}/console and sign in as ${ADMIN_EMAIL}.
The code appears in ${base}/dev/outbox.`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
