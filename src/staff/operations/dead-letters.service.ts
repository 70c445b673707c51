import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { readCursor, writeCursor } from "../../platform/http/cursor.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import { type LetterRow, type LetterState, listLetters, type Settlement, settleLetters } from "./dead-letters.store.ts";

const position = z.tuple([z.number(), z.string()]);

/** Filters of a list of dead letters. */
interface LetterQuery {
  state: LetterState;
  type?: string | undefined;
  page_size: number;
  cursor?: string | undefined;
}

/**
 * A page of dead letters, newest first.
 *
 * @throws AppError `permission_denied`; `validation_error` for a cursor of another list.
 */
export async function listDeadLetters(
  deps: Deps,
  caller: AdminClaims,
  { state, type, page_size: size, cursor }: LetterQuery,
): Promise<{ results: LetterRow[]; nextCursor: string | null }> {
  const query = ["dead-letters", state, type ?? ""];
  const after = await readCursor(deps, query, cursor, position);
  const { found, next } = await listLetters(deps, caller, { state, type, size, after });
  return { results: found, nextCursor: next ? await writeCursor(deps, query, next) : null };
}

/** Replays or discards dead letters, each once. @throws AppError `permission_denied`. */
export function settleDeadLetters(deps: Deps, client: Client, caller: AdminClaims, settlement: Settlement) {
  return settleLetters(deps, client, caller, settlement);
}
