import { boundsOf, dayOf } from "../../nepal.ts";
import type { Deps } from "../../platform/deps.ts";
import { DAY_MS } from "../../platform/time.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { COUNTED_METRICS, REFUSAL_METRICS } from "./metric-names.ts";
import { type FigureRows, readFigures } from "./overview.store.ts";

/** Names of the series of the overview. */
export const SERIES = [...COUNTED_METRICS, ...REFUSAL_METRICS, "sms_spent", "sms_budget"] as const;
type Series = (typeof SERIES)[number];

/** Figures of several days, and of the present. */
export interface Overview {
  /** `YYYY-MM-DD` in Asia/Kathmandu, ascending; the last is today. */
  days: string[];
  /** A number for each day. */
  series: Record<Series, number[]>;
  now: {
    kycPending: number;
    /** Epoch ms; null if none waits. */
    kycOldestAt: number | null;
    smsTaken: number;
    smsBudget: number;
    deadLetters: number;
    locks: number;
  };
}

/** The figures of the last `count` days, with today. @throws AppError `permission_denied`. */
export async function getOverview(deps: Deps, caller: StaffClaims, count: number): Promise<Overview> {
  const today = dayOf(deps.now());
  const { first } = boundsOf(today);
  const days = Array.from({ length: count }, (_, i) => dayOf(first - (count - 1 - i) * DAY_MS));
  const found = await readFigures(deps, caller, days[0] ?? today);
  const { present, oldest } = found;
  const spent = seriesOf(days, (day) => found.sms.find((each) => each.day === day));
  const kycPending = present?.kycPending ?? 0;
  const figureOf = (metric: Series, day: string) => {
    const hours = found.counts.find((row) => row.day === day && row.metric === metric)?.byHour ?? [];
    if (metric === "kyc_waiting") return day === today ? kycPending : (hours.findLast((each) => each !== null) ?? 0);
    const soFar = day === today ? (present?.figures[metric] ?? 0) : 0;
    return hours.reduce<number>((sum, each) => sum + (each ?? 0), 0) + soFar;
  };
  const smsBudget = spent.at(-1)?.budget ?? deps.config.smsDailyBudget;
  return {
    days,
    series: Object.fromEntries(
      SERIES.map((name) => [
        name,
        name === "sms_spent"
          ? spent.map((day) => day?.taken ?? 0)
          : name === "sms_budget"
            ? spent.map((day, i) => day?.budget ?? (i === spent.length - 1 ? smsBudget : 0))
            : days.map((day) => figureOf(name, day)),
      ]),
    ) as Record<Series, number[]>,
    now: {
      kycPending,
      kycOldestAt: oldest[0]?.submittedAt ?? null,
      smsTaken: spent.at(-1)?.taken ?? 0,
      smsBudget,
      deadLetters: present?.deadLetters ?? 0,
      locks: present?.locks ?? 0,
    },
  };
}

const seriesOf = (days: readonly string[], find: (day: string) => FigureRows["sms"][number] | undefined) =>
  days.map(find);
