import type { Deps } from "../../platform/deps.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { type DeliveryRows, readDelivery } from "./delivery.store.ts";

/** Number of ranges and networks that are listed. */
const RANKS = 5;

type CodeRow = DeliveryRows["codes"][number];

/** A name and the number of codes that were asked for under it. */
export interface Rank {
  name: string;
  codes: number;
}

/** What became of the codes of one channel. */
export interface ChannelFigures {
  channel: "sms" | "email";
  asked: number;
  delivered: number;
  undeliverable: number;
  /** Time from request to delivery, in milliseconds; null without a delivery. */
  medianMs: number | null;
  p95Ms: number | null;
}

/** The delivery of codes during the last hour. @throws AppError `permission_denied`. */
export async function getDelivery(deps: Deps, caller: StaffClaims) {
  const { codes, providers, sms, email } = await readDelivery(deps, caller);
  const isSms = ({ range }: CodeRow) => range !== null;
  const { smsDailyBudget, emailDailyBudget } = deps.config;
  return {
    channels: [
      figuresOf("sms", codes.filter(isSms)),
      figuresOf(
        "email",
        codes.filter((code) => !isSms(code)),
      ),
    ],
    providers,
    budgets: [
      { channel: "sms" as const, ...budgetOf(sms[0], smsDailyBudget) },
      { channel: "email" as const, ...budgetOf(email[0], emailDailyBudget) },
    ],
    ranges: rank(codes.flatMap(({ range }) => (range === null ? [] : [`${range}xxxx`]))),
    networks: rank(codes.map(({ network }) => network)),
  };
}

function figuresOf(channel: ChannelFigures["channel"], codes: readonly CodeRow[]): ChannelFigures {
  const lags = codes
    .flatMap(({ createdAt, deliveredAt }) => (deliveredAt === null ? [] : [deliveredAt - createdAt]))
    .sort((a, b) => a - b);
  /** The smallest lag that at least this share of the deliveries did not exceed (nearest rank). */
  const percentile = (share: number) => lags[Math.max(0, Math.ceil(share * lags.length) - 1)] ?? null;
  return {
    channel,
    asked: codes.length,
    delivered: lags.length,
    undeliverable: codes.filter(({ undeliverableAt }) => undeliverableAt !== null).length,
    medianMs: percentile(0.5),
    p95Ms: percentile(0.95),
  };
}

function budgetOf(day: DeliveryRows["sms"][number] | undefined, budget: number) {
  return {
    budget: day?.budget ?? budget,
    taken: day?.taken ?? 0,
    refusedByReserve: day?.refusedByReserve ?? 0,
    refusedBySpent: day?.refusedBySpent ?? 0,
  };
}

/** The names that occur most often. */
function rank(names: readonly string[]): Rank[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, codes]) => ({ name, codes }))
    .sort((a, b) => b.codes - a.codes || (a.name < b.name ? -1 : 1))
    .slice(0, RANKS);
}
