import { vi } from "vitest";
import { testEnv } from "./client.ts";
import { stopClock } from "./clock.ts";

/** Variables of a production with SMS by Sparrow, then by the fallback, and e-mail by Cloudflare. */
export const providerVars = {
  ENVIRONMENT: "production",
  ISSUER: "https://api.example.com",
  SPARROW_TOKEN: "canary-sparrow-token",
  SPARROW_FROM: "PowerBank",
  SMS_FALLBACK_URL: "https://sms.example.net/send",
  SMS_FALLBACK_SECRET: `whsec_${btoa("canary-fallback-secret-of-32-byt")}`,
  EMAIL_FROM: "no-reply@example.com",
};

/** The test environment with these variables and bindings; undefined removes one. */
export function productionEnv(changes: Record<string, unknown> = {}): Env {
  return { ...testEnv, ...providerVars, ...changes } as unknown as Env;
}

/** Stops the clock and the timers; both advance only when a test says so. Undone by `vi.useRealTimers()`. */
export function stopTime(): { advance(milliseconds: number): void } {
  stopClock({ timers: true });
  return { advance: (milliseconds) => void vi.advanceTimersByTime(milliseconds) };
}

/** Records the lines that the Worker logs from now on. */
export function recordLog(): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  for (const level of ["debug", "log", "info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...words) => void lines.push(JSON.parse(words.map(String).join(" "))));
  }
  return lines;
}

/** Closes all breakers that earlier tests may have opened. */
export async function closeBreakers(): Promise<void> {
  await testEnv.DB.prepare("delete from provider_breakers").run();
}

/** Matches the statement that records that a code was sent or is given up. */
export const SETTLING_A_CODE = /^update "otp_challenges" set "sealed_code"/i;

/** The database with matching statements failing before they run. */
export function databaseWithout(failing: RegExp): Partial<Env> {
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      if (name !== "prepare") return Reflect.get(target, name).bind(target);
      return (statement: string) => {
        if (failing.test(statement)) throw new Error("D1_ERROR: Network connection lost.");
        return target.prepare(statement);
      };
    },
  });
  return { DB };
}

/** The database losing the answers of batches with a matching statement after they are committed. */
export function databaseLosingAnswersOf(lost: RegExp): Partial<Env> {
  let isLost = false;
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      if (name === "prepare")
        return (statement: string) => {
          isLost ||= lost.test(statement);
          return target.prepare(statement);
        };
      if (name !== "batch") return Reflect.get(target, name).bind(target);
      return async (statements: D1PreparedStatement[]) => {
        const answers = await target.batch(statements);
        if (!isLost) return answers;
        isLost = false;
        throw new Error("D1_ERROR: Network connection lost.");
      };
    },
  });
  return { DB };
}
