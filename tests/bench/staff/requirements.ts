import { median } from "../median.ts";
import { LIST_PAGE, type StaffCase } from "./cases.ts";
import type { Measured } from "./measure.ts";

/** A case with its measurements at each number of users, fewest first. */
export interface Row {
  of: StaffCase;
  at: Measured[];
}

/** Maximum rows read if the page is not filled or few users match the filter. */
const MAX_SELECTIVE_ROWS = 2000;
/** Maximum ratio of CPU time with the most users to that with the fewest. */
const MAX_GROWTH = 1.5;
/** Maximum ratio of CPU time of a search to that of a list page. */
const MAX_SEARCH = 3;

/** The violated requirements, one sentence each. */
export function findOffences(rows: readonly Row[]): string[] {
  return rows.flatMap((row) => [...findRowOffences(row), ...findGrowth(row), ...findDearSearches(row, rows)]);
}

function findRowOffences({ of: { name, pageSize, offset, rowsOfResult, isSelective }, at }: Row): string[] {
  const most = at.at(-1);
  if (!most) return [];
  const isFull = most.results === undefined || most.results >= pageSize;
  const limit = isFull && !isSelective ? offset + rowsOfResult * pageSize + 50 : MAX_SELECTIVE_ROWS;
  return most.rows > limit ? [`${name}: reads ${most.rows} rows, at most ${limit} are allowed (${most.trips})`] : [];
}

/** Ratio of CPU time with the most users to that with the fewest; undefined if the two responses are not comparable. */
export function growthOf({ at }: Row): number | undefined {
  const [fewest, most] = [at[0], at.at(-1)];
  if (!fewest || !most || fewest.results !== most.results) return undefined;
  return median(most.cpu) / median(fewest.cpu);
}

function findGrowth(row: Row): string[] {
  const growth = growthOf(row);
  if (growth === undefined || growth <= MAX_GROWTH) return [];
  return [`${row.of.name}: costs ${growth.toFixed(2)} × the CPU that it costs with the fewest users`];
}

function findDearSearches({ of: { name, kind }, at }: Row, rows: readonly Row[]): string[] {
  if (kind !== "search") return [];
  const lists = rows.find((row) => row.of.name === LIST_PAGE)?.at ?? [];
  return at.flatMap(({ cpu }, i) => {
    const list = lists[i];
    const ratio = list ? median(cpu) / median(list.cpu) : 0;
    return ratio > MAX_SEARCH ? [`${name}: costs ${ratio.toFixed(2)} × a list page (column ${i + 1})`] : [];
  });
}
