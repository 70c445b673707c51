import { desc, eq } from "drizzle-orm";
import { localOutbox } from "../db/platform-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { answered, type MessageProvider, sent } from "./message-provider.ts";

/** Keeps messages in the database instead of sending them; for development and tests alone. */
export function localOutboxProvider(deps: Pick<Deps, "db" | "now" | "log">): MessageProvider {
  return {
    name: "local-outbox",
    isLocal: true,
    reaches: () => true,
    async send({ id, channel, to, text, code }) {
      const row = { id, channel, recipient: to, text, code: code ?? null, createdAt: deps.now() };
      const kept = deps.db.insert(localOutbox).values(row).onConflictDoNothing();
      // Kept twice is kept once, so a lost answer is no doubt.
      return runBatch(deps, { kept }).then(
        () => sent,
        () => answered("refused", "database"),
      );
    },
  };
}

/** The newest 100 messages, newest first; of one recipient where given. */
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
