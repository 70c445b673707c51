import type { Doing } from "./progress.ts";

/** Least time between two lines. */
export const PERIOD_MS = 5_000;
/** Least time between two lines that say the same. */
const UNCHANGED_MS = 30_000;

/** Returns a function that gives the line for what is done at a time (epoch ms), or undefined if none is due. */
export function progressLines(startedAt: number): (doing: Doing, now: number) => string | undefined {
  let [shown, shownAt] = ["", startedAt];
  return ({ step, done }, now) => {
    const text = done === undefined ? step : `${done.toLocaleString("en")} ${step}`;
    if (text === shown && now - shownAt < UNCHANGED_MS) return undefined;
    [shown, shownAt] = [text, now];
    return `${String(Math.round((now - startedAt) / 1000)).padStart(4)} s  ${text}`;
  };
}
