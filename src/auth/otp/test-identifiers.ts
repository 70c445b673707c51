import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { DAY_MS } from "../../platform/time.ts";
import { type Identifier, parseIdentifier } from "../../users/identifier.ts";

/** A test identifier's end date may lie at most this far ahead. */
const MAX_AHEAD_MS = 30 * DAY_MS;

/**
 * The fixed code of an app-store reviewer's identifier; undefined for any other identifier, once its end date has
 * passed, and while that date is more than 30 days ahead.
 */
export function findTestCode(deps: Pick<Deps, "config" | "now">, identifier: Identifier): string | undefined {
  const entry = deps.config.testIdentifiers.find((each) => canonical(deps, each.identifier) === identifier.value);
  if (!entry) return undefined;
  const lastDayStartsAt = Date.parse(`${entry.until}T00:00:00Z`);
  const now = deps.now();
  return lastDayStartsAt > now - DAY_MS && lastDayStartsAt <= now + MAX_AHEAD_MS ? entry.code : undefined;
}

/** The canonical form of every configured test identifier, whether or not it is valid now. */
export function canonicalTestIdentifiers(deps: Pick<Deps, "config">): string[] {
  return deps.config.testIdentifiers.flatMap(({ identifier }) => canonical(deps, identifier) ?? []);
}

function canonical(deps: Pick<Deps, "config">, identifier: string): string | undefined {
  try {
    return parseIdentifier(deps, identifier).value;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
