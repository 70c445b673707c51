import { desc, eq } from "drizzle-orm";
import { localOutbox } from "../db/platform-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { answered, type MessageProvider, sent } from "./message-provider.ts";

/** Stores messages in the database instead of sending them; only for development and tests. */
export function localOutboxProvider(deps: Pick<Deps, "db" | "now" | "log">): MessageProvider {
  return {
    name: "local-outbox",
    isLocal: true,
    reaches: () => true,
    async send({ id, channel, to, text, code }) {
      const row = { id, channel, recipient: to, text, code: code ?? null, createdAt: deps.now() };
      const stored = deps.db.insert(localOutbox).values(row).onConflictDoNothing();
      // Storing is idempotent, so a lost answer is treated as a definite refusal and retried.
      return runBatch(deps, { stored }).then(
        () => sent,
        () => answered("refused", "database"),
      );
    },
  };
}

/** Maximum number of messages in a list. */
const MAX_SHOWN = 100;
/** Number of newest messages that are searched for a part of a recipient. */
const MAX_SEARCHED = 1_000;

/** A recipient, a part of one (case-insensitive), or neither. */
export interface OutboxFilter {
  recipient?: string;
  part?: string;
}

/** Lists at most 100 messages that match the filter, newest first; a part is searched for in the newest 1,000. */
export async function listLocalOutbox(deps: Pick<Deps, "db" | "log">, { recipient, part }: OutboxFilter) {
  const { messages } = await runBatch(deps, {
    messages: deps.db
      .select()
      .from(localOutbox)
      .where(recipient === undefined ? undefined : eq(localOutbox.recipient, recipient))
      .orderBy(desc(localOutbox.createdAt), desc(localOutbox.id))
      .limit(part === undefined ? MAX_SHOWN : MAX_SEARCHED),
  });
  if (part === undefined) return messages;
  const wanted = part.toLowerCase();
  return messages.filter((each) => each.recipient.toLowerCase().includes(wanted)).slice(0, MAX_SHOWN);
}
