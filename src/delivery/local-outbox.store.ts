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

/** Lists the newest 100 messages, newest first, optionally of one recipient. */
export async function listLocalOutbox(deps: Pick<Deps, "db" | "log">, recipient: string | undefined) {
  const { messages } = await runBatch(deps, {
    messages: deps.db
      .select()
      .from(localOutbox)
      .where(recipient === undefined ? undefined : eq(localOutbox.recipient, recipient))
      .orderBy(desc(localOutbox.createdAt), desc(localOutbox.id))
      .limit(100),
  });
  return messages;
}
