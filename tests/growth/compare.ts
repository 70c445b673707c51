import { type Bound, bounds, ROWS_OF_CHANCE } from "./bounds.ts";
import type { Cost, Measured } from "./measure.ts";

/** One thing that was measured at both sizes. */
export interface Compared {
  name: string;
  outcome: string;
  few: Cost;
  many: Cost;
  /** The problems in words; empty if the cost is the same or within its bound. */
  faults: string[];
  /** The bound that applies if the costs differ. */
  bound?: Bound | undefined;
}

const UNITS = ["d1", "d1BeforeAnswer", "search", "kv", "r2", "queue", "rowsRead", "rowsWritten"] as const;

/** Compares each cost with many users with that with few. */
export function compare(few: readonly Measured[], many: readonly Measured[]): Compared[] {
  return few.map((one, i) => {
    const other = many[i];
    if (other?.name !== one.name) throw new Error(`${one.name} was not measured again`);
    const compared = { name: one.name, outcome: one.outcome, few: one.cost, many: other.cost };
    if (other.outcome !== one.outcome) return { ...compared, faults: [`came out as ${other.outcome}`] };
    const differing = UNITS.filter((unit) => isDifferent(unit, one.cost, other.cost));
    if (differing.length === 0) return { ...compared, faults: [] };
    const bound = bounds.find(({ of }) => of.test(one.name) || of.test(one.outcome));
    const beyond = differing.filter((unit) => other.cost[unit] > (bound?.most[unit] ?? one.cost[unit]));
    return {
      ...compared,
      bound,
      faults: beyond.map((unit) => `${unit}: ${one.cost[unit]} became ${other.cost[unit]}`),
    };
  });
}

function isDifferent(unit: keyof Cost, few: Cost, many: Cost): boolean {
  const margin = unit === "rowsRead" ? ROWS_OF_CHANCE : 0;
  return Math.abs(many[unit] - few[unit]) > margin;
}
