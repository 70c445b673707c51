import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/errors.ts";
import { type Identifier, parseIdentifier } from "../users/identifier.ts";

/** A test identifier may be valid for this long ahead at most. */
const MAX_AHEAD_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * The fixed code of a store reviewer's identifier; undefined for everyone else, and once its end date has passed or
 * while that date is further ahead than 30 days.
 */
export function findTestCode(deps: Pick<Deps, "config" | "now">, identifier: Identifier): string | undefined {
  const entry = deps.config.testIdentifiers.find((each) => canonical(deps, each.identifier) === identifier.value);
  if (!entry) return undefined;
  const endsAt = Date.parse(`${entry.until}T23:59:59.999Z`);
  const now = deps.now();
  return endsAt >= now && endsAt <= now + MAX_AHEAD_MS ? entry.code : undefined;
}

function canonical(deps: Pick<Deps, "config">, given: string): string | undefined {
  try {
    return parseIdentifier(deps, given).value;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
