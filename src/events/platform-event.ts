import { z } from "zod";
import { CURRENCY } from "../nepal.ts";
import { parseMinor } from "../platform/money.ts";
import { HOUR_MS } from "../platform/time.ts";

/** Largest amount, in minor units; sums of nine million such amounts are still exact. */
const MAX_AMOUNT_MINOR = 999_999_999;
const MAX_POINTS = 1_000_000;
/** How far a sender's clock may be ahead of ours, in milliseconds. */
const CLOCK_SKEW_MS = HOUR_MS;
const EARLIEST_MS = Date.UTC(2000, 0, 1);

/** Reasons reserved for this service's own ledger rows; other services may not use them. */
const OWN_REASONS: readonly string[] = ["signup_bonus", "referral"];

/** Name of a service, as in the props of its binding and in its events. */
export const sourceName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/);

const id = z.string().regex(/^[\x21-\x7e]{1,100}$/);

const instant = z.iso
  .datetime({ offset: true })
  .max(40)
  .transform((text) => Date.parse(text))
  .refine((at) => at >= EARLIEST_MS);

/** Decimal string with at most two decimal places, converted to minor units. */
const money = (minimumMinor: number) =>
  z.string().transform((text, context) => {
    const minor = text.length <= 20 ? parseMinor(text) : undefined;
    if (minor !== undefined && minor >= minimumMinor && minor <= MAX_AMOUNT_MINOR) return minor;
    context.addIssue({ code: "custom", message: "must be an amount" });
    return z.NEVER;
  });
const amount = money(0);
const signedAmount = money(-MAX_AMOUNT_MINOR);

function event<Type extends string, Data extends z.ZodRawShape>(type: Type, data: Data) {
  return z.object({
    id,
    type: z.literal(type),
    source: sourceName,
    user_id: z.uuid().toLowerCase(),
    occurred_at: instant,
    data: z.object(data),
  });
}

/** Events of other services, by type. Unknown fields are ignored. */
const platformEvent = z.discriminatedUnion("type", [
  event("rental.started", { rental_id: id, station_id: id }),
  event("rental.returned", { rental_id: id, on_time: z.boolean(), amount }),
  event("transaction.succeeded", {
    transaction_id: id,
    transaction_type: z.enum(["TOPUP", "RENTAL", "RENTAL_DUE", "FINE", "REFUND"]),
    amount,
    currency: z.literal(CURRENCY),
    wallet_delta: signedAmount,
  }),
  event("points.changed", {
    delta: z.int().min(-MAX_POINTS).max(MAX_POINTS),
    reason: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,50}$/)
      .refine((reason) => !OWN_REASONS.includes(reason)),
    reference: id,
  }),
  event("station.favorited", { station_id: id }),
  event("station.unfavorited", { station_id: id }),
]);

/** A valid event: amounts in minor units, `occurred_at` in milliseconds since the epoch. */
export type PlatformEvent = z.output<typeof platformEvent>;
/** The event with the given type. */
export type EventOf<Type extends PlatformEvent["type"]> = Extract<PlatformEvent, { type: Type }>;

/** Parses an event. If it is malformed, returns the invalid fields with the kind of error, never with values. */
export function parsePlatformEvent(
  given: unknown,
  now: number,
): { event: PlatformEvent } | { invalidFields: string[] } {
  const parsed = platformEvent.safeParse(given);
  if (!parsed.success)
    return { invalidFields: parsed.error.issues.map(({ path, code }) => `${path.join(".")} ${code}`) };
  if (parsed.data.occurred_at > now + CLOCK_SKEW_MS) return { invalidFields: ["occurred_at in the future"] };
  return { event: parsed.data };
}
