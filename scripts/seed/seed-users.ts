import { buildKeyring, parseConfig } from "../../src/config.ts";
import type { Keyring } from "../../src/platform/config/keyring.ts";
import { migrateLocal } from "../operations/prepare.ts";
import { type Databases, inTransaction, openDatabases } from "./databases.ts";
import { drawAdmin, drawPerson } from "./people.ts";
import { putPictures } from "./pictures.ts";
import { peopleWriter } from "./primary.ts";
import { drawsFrom } from "./random.ts";
import { projectAll } from "./search.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** The time over which the users joined. */
const AGE_MS = 3 * 365 * DAY_MS;
const BATCH_SIZE = 10_000;

export interface Seeding {
  /** The folder that PERSIST_TO names; undefined for wrangler's default. */
  persistTo: string | undefined;
  /** The same folder as a path. */
  state: string;
  users: number;
  seed: number;
  /** All users joined before this time (epoch ms). */
  until: number;
  secrets: Readonly<Record<string, string>>;
  onProgress: (step: string, done: number) => void;
}

/**
 * Adds synthetic users to the local primary and search databases, as if they had joined over three years at a growing
 * rate, and one admin for the staff console. The same seed, end and databases give the same users.
 *
 * @throws Error with a one-sentence message if a server has the databases open.
 */
export async function seedUsers(seeding: Seeding): Promise<void> {
  const { persistTo, state, secrets, onProgress } = seeding;
  // Fails early if a server has them open.
  openDatabases(state)?.close();
  migrateLocal(persistTo);
  const databases = openDatabases(state);
  if (!databases) throw new Error(`The databases in ${state} are not migrated.`);
  try {
    await writePeople(databases, await keyringOf(secrets), seeding);
    projectAll(databases, (done) => onProgress("search entries", done));
    onProgress("pictures", await putPictures(databases.primary, state));
    for (const each of [databases.primary, databases.search]) each.exec("pragma wal_checkpoint(truncate)");
  } finally {
    databases.close();
  }
}

async function writePeople({ primary }: Databases, keyring: Keyring, { users, seed, until, onProgress }: Seeding) {
  const draws = drawsFrom(seed);
  const write = peopleWriter(primary, keyring, draws, until);
  // Skipped if an earlier run added the admin, whose separate draws leave those of the other users unchanged.
  await inTransaction(primary, async () => void (await write(drawAdmin(drawsFrom(0), until - 1))));
  for (let done = 0; done < users; ) {
    const end = Math.min(users, done + BATCH_SIZE);
    await inTransaction(primary, async () => {
      for (; done < end; done++) {
        // The rate of joining grows, and each user joins after the one before.
        const share = Math.sqrt((done + draws.fraction()) / users);
        const dateJoined = Math.floor(until - AGE_MS * (1 - share));
        // Repeats until name, address and number are unique.
        while (!(await write(drawPerson(draws, dateJoined, until))));
      }
    });
    onProgress("users", done);
  }
}

/** The keyring of these secrets, outside a Worker. */
export function keyringOf(secrets: Readonly<Record<string, string>>): Promise<Keyring> {
  const settings = { APP_NAME: "Seed", ISSUER: "http://localhost", AUDIENCE: "seed", OTP_AUTOFILL_DOMAIN: "localhost" };
  const others = { CORS_ORIGINS: "", SMS_COUNTRIES: "NP", SMS_DAILY_BUDGET: "1", EMAIL: undefined };
  return buildKeyring(parseConfig({ ENVIRONMENT: "development", ...settings, ...others, ...secrets }));
}
