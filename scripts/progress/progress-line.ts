import type { Doing } from "./progress.ts";

/** Minimum time between two lines. */
export const PERIOD_MS = 5_000;
/** Minimum time between two lines with the same text. */
const UNCHANGED_MS = 30_000;

/** Returns a function that formats the progress at a time (epoch ms); it returns undefined if no line is due. */
export function progressLines(startedAt: number): (doing: Doing, now: number) => string | undefined {
  let [shown, shownAt] = ["", startedAt];
  return ({ step, done }, now) => {
    const text = done === undefined ? step : `${done.toLocaleString("en")} ${step}`;
    if (text === shown && now - shownAt < UNCHANGED_MS) return undefined;
    [shown, shownAt] = [text, now];
    return `${String(Math.round((now - startedAt) / 1000)).padStart(4)} s  ${text}`;
  };
}
