import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import {
  besideErrors,
  cursorField,
  listField,
  optionalText,
  pageSizeField,
  withoutControls,
} from "../../platform/http/fields.ts";
import { isoTime } from "../../platform/time.ts";
import { adminEndpoint } from "../../sessions/guard.ts";
import { maskJsonText } from "../users/masked-values.ts";
import { reason } from "../users/user-detail.fields.ts";
import { MAX_SETTLED } from "./dead-letter-limits.ts";
import { listDeadLetters, settleDeadLetters } from "./dead-letters.service.ts";

const tag = "Staff: service";
const letterType = optionalText(withoutControls(z.string().max(200)));

/** A message that could not be processed. */
const deadLetter = z
  .object({
    id: z.string(),
    queue: z.string(),
    type: z.string().nullable(),
    user_id: z.string().nullable(),
    reason: z.string(),
    trace: z.string().nullable(),
    attempts: z.number().int(),
    payload: z
      .string()
      .nullable()
      .meta({
        description:
          "JSON text, with hints instead of what identifies a person; null if it was too large or sends a code, and " +
          "after its user's account was deleted.",
      }),
    created_at: z.iso.datetime(),
    settled_at: z.iso.datetime().nullable().meta({ description: "When it was replayed or discarded." }),
  })
  .meta({ id: "DeadLetter" });

export const getDeadLetters = adminEndpoint(
  {
    method: "get",
    path: "/staff/dead-letters",
    operationId: "listDeadLetters",
    tag,
    summary: "List dead letters",
    description:
      "Lists messages that could not be processed, newest first; a " + "page may be short although another follows.",
    query: z.object({
      state: z
        .enum(["WAITING", "REPLAYED", "DISCARDED"])
        .default("WAITING")
        .meta({ description: "The state to list." }),
      type: letterType.meta({ description: "Only messages of this type." }),
      page_size: pageSizeField,
      cursor: cursorField,
    }),
    data: z.object({ results: z.array(deadLetter), next_cursor: z.string().nullable() }),
    message: { en: "Dead letters.", ne: "पुग्न नसकेका सन्देश।" },
  },
  async (deps, { caller, query }) => {
    const { results, nextCursor } = await listDeadLetters(deps, caller, query);
    return {
      data: {
        results: results.map((letter) => ({
          id: letter.id,
          queue: letter.queue,
          type: letter.type,
          user_id: letter.userId,
          reason: letter.reason,
          trace: letter.trace,
          attempts: letter.attempts,
          payload: maskJsonText(letter.payload),
          created_at: isoTime(letter.createdAt),
          settled_at: isoTime(letter.settledAt),
        })),
        next_cursor: nextCursor,
      },
    };
  },
);

const settlement = z
  .object({
    action: z.enum(["REPLAY", "DISCARD"]),
    ids: listField(z.array(z.string().max(64)).min(1, as("required")).max(MAX_SETTLED).optional())
      .optional()
      .meta({ description: "Ids of dead letters." }),
    type: letterType.meta({ description: "Instead of ids: all dead letters of this type, with `before`." }),
    before: z.iso
      .datetime({ offset: true })
      .transform((given) => Date.parse(given))
      .optional()
      .meta({ description: "With `type`: only those from before this time." }),
    reason,
  })
  .refine(({ ids, type }) => ids !== undefined || type !== undefined, {
    when: besideErrors,
    path: ["ids"],
    message: as("required"),
  })
  .refine(({ ids, type, before }) => ids !== undefined || type === undefined || before !== undefined, {
    when: besideErrors,
    path: ["before"],
    message: as("required"),
  });

export const postDeadLetters = adminEndpoint(
  {
    method: "post",
    path: "/staff/dead-letters",
    operationId: "settleDeadLetters",
    tag,
    summary: "Replay or discard dead letters",
    description:
      `Settles at most ${MAX_SETTLED} dead letters, the oldest first, each once; those that are settled ` +
      "already, or that have nothing to replay, are left out. A replayed message is sent again within a minute. Call it " +
      "again while `remaining` is not 0.",
    example: {
      action: "REPLAY",
      type: "webhook.due",
      before: "2026-11-01T00:00:00Z",
      reason: "The receiver works again",
    },
    body: settlement,
    data: z.object({ settled: z.number().int(), remaining: z.number().int() }),
    message: { en: "Dead letters settled.", ne: "सन्देशहरू टुङ्ग्याइए।" },
  },
  async (deps, { body, caller, client }) => {
    const { action, ids, type = "", before = 0, reason } = body;
    const which = ids ? { ids } : { type, before };
    return { data: await settleDeadLetters(deps, client, caller, { action, which, reason }) };
  },
);
