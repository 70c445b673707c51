import { afterEach, beforeEach, vi } from "vitest";

/** A stopped clock. */
export interface Clock {
  /** Lets time pass, without running timers. */
  advance(milliseconds: number): void;
}

interface ClockSetting {
  /** The time at which the clock stops, in epoch milliseconds; the real time by default. */
  at?: number | undefined;
  /** Whether `setTimeout` stands still too, for deadlines; otherwise only `Date` does. */
  timers?: boolean | undefined;
}

const clock: Clock = { advance: (milliseconds) => void vi.setSystemTime(Date.now() + milliseconds) };

/** Stops the clock until `vi.useRealTimers()`. */
export function stopClock({ at = Date.now(), timers = false }: ClockSetting = {}): Clock {
  vi.useFakeTimers({ toFake: timers ? ["Date", "setTimeout", "clearTimeout"] : ["Date"], now: at });
  return clock;
}

/** Stops the clock for each test of the file, or of the `describe` block, that calls this. */
export function useClock(setting: ClockSetting = {}): Clock {
  beforeEach(() => void stopClock(setting));
  afterEach(() => void vi.useRealTimers());
  return clock;
}
