import { type Databases, inserter } from "../../../scripts/seed/databases.ts";
import { familiarNetworks } from "../../../src/db/sign-in-schema.ts";
import type { Traveller } from "./service.ts";

export type Channel = "sms" | "email";

const DAY_MS = 24 * 60 * 60 * 1000;
const COLUMN = { sms: "phone_number", email: "email" } as const;

/** Each person has a network of their own, so that no limit of a network applies. */
const ipOf = (i: number) => `10.${Math.floor(i / 250)}.${i % 250}.7`;

/** Users who sign in by this channel, from a network that is already known, as nearly all do. */
export function knownPeople({ primary }: Databases, channel: Channel, count: number): Traveller[] {
  const column = COLUMN[channel];
  const verified = { sms: "phone_verified", email: "email_verified" }[channel];
  const found = primary
    .prepare(
      `select ${column} as identifier from users where status = 'ACTIVE' and role = 'user' and ${verified}
        order by id limit ?`,
    )
    .all(count) as { identifier: string }[];
  if (found.length < count) throw new Error(`only ${found.length} of ${count} users can sign in by ${channel}`);
  const insertNetwork = inserter(primary, familiarNetworks);
  return found.map(({ identifier }, i) => {
    const ip = ipOf(i);
    insertNetwork({ identifier, network: `${ip.slice(0, -2)}.0/24`, lastSignInAt: Date.now() - DAY_MS });
    return { identifier, ip };
  });
}

/** People who have no account yet. */
export function newPeople({ primary }: Databases, channel: Channel, count: number): Traveller[] {
  const column = COLUMN[channel];
  const isTaken = primary.prepare(`select 1 from users where ${column} = ?`);
  const people: Traveller[] = [];
  for (let i = 0; people.length < count; i++) {
    const identifier = channel === "sms" ? newNumber(i) : `new-${i}@example.com`;
    if (!isTaken.get(identifier)) people.push({ identifier, ip: ipOf(i) });
  }
  return people;
}

/** A mobile number; the numbers are spread over the ranges of ten thousand in which text messages are limited. */
const newNumber = (i: number) => `+977984${String((i * 3_141_593) % 10_000_000).padStart(7, "0")}`;
