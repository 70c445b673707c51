import { identifyCall } from "../platform/data/idempotency.ts";
import { publishCoalesced } from "../platform/data/publish.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { AppError } from "../platform/http/errors.ts";
import { beyondLimit } from "../platform/http/rate-limit.ts";
import { countWrite } from "../platform/http/write-limit.ts";
import { pollUntil } from "../platform/poll.ts";
import { denySessions, isDenied } from "./denylist.store.ts";
import { sessionEnded, sessionExpired } from "./guard.ts";
import { replayLimit, rotateSession } from "./refresh.store.ts";
import {
  type MintableSession,
  mintAccessToken,
  mintRefreshToken,
  type RefreshClaims,
  verifyRefreshToken,
} from "./tokens.ts";

export interface TokenPair {
  accessToken: string;
  refreshToken: string;
}

/**
 * Exchanges a refresh token for its successor and a new access token. A client that lost the response may repeat the
 * call within the replay window and gets the same successor, byte for byte, until somebody uses that successor.
 *
 * @throws AppError `token_not_valid` when the token is expired, forged, already rotated or of an ended session; a
 *   rotated token that can no longer be replayed also ends its session. `idempotency_key_reused`. `rate_limit_exceeded`
 *   after 200 replays, until the replay window ends, or when the user exceeds the write limit.
 */
export async function refreshSession(deps: Deps, client: Client, refreshToken: string): Promise<TokenPair> {
  const verified = await verifyRefreshToken(deps, refreshToken);
  if (verified.state === "expired") throw sessionExpired();
  if (verified.state === "invalid") throw sessionEnded(verified.reason);
  const token = verified.claims;
  await countFirstUse(deps, token);
  const call = await identifyCall(deps, client.idempotencyKey, "refresh", token.sessionId, { refreshToken });
  const [denied, outcome] = await Promise.all([
    isDenied(deps, token.sessionId),
    rotateSession(deps, client, token, call),
  ]);
  if (outcome.ended) {
    deps.log.warn("refresh_reuse", { session_id: token.sessionId, user_id: token.userId });
    deps.afterResponse(Promise.all([denySessions(deps, [token.sessionId]), publishCoalesced(deps, outcome.events)]));
    throw sessionEnded("refresh token reuse");
  }
  const { session } = outcome;
  if (denied || !session || session.revokedAt !== null) throw sessionEnded();
  if (outcome.rotated || outcome.replayed) return mintTokens(deps, session);
  if (call && outcome.binding && outcome.binding.bodyHash !== call.bodyHash)
    throw new AppError("idempotency_key_reused");
  if (wasReplayedTooOften(session, token)) {
    throw beyondLimit("refresh-replays", replayLimit, replayLimit.windowMs / 1000, "replays of one rotation");
  }
  throw sessionEnded("session not usable");
}

const MAX_REMEMBERED = 10_000;
/** How long a repeated call waits for the count of the first, in milliseconds. */
const COUNTED_DEADLINE_MS = 1_000;

/** The first use of a token. */
interface FirstUse {
  counter: number;
  isDecided: boolean;
  /** The error, if it exceeded the limit. */
  refusal?: unknown;
}

/** The first use of the newest token of each session that this isolate has seen. */
const seen = new Map<string, FirstUse>();

/**
 * Counts the first use of a token towards its user's write limit. Repeated calls are free: a client that lost the
 * response must be able to retry, and replays of one rotation have their own limit.
 *
 * @throws AppError `rate_limit_exceeded`.
 */
async function countFirstUse(deps: Deps, { sessionId, userId, counter }: RefreshClaims): Promise<void> {
  const known = seen.get(sessionId);
  if (known !== undefined && known.counter >= counter) return followFirstUse(sessionId, known);
  const use: FirstUse = { counter, isDecided: false };
  if (seen.size >= MAX_REMEMBERED) seen.clear();
  seen.set(sessionId, use);
  try {
    await countWrite(deps, userId);
  } catch (error) {
    use.refusal = error;
    forgetFirstUse(sessionId, use);
    throw error;
  } finally {
    use.isDecided = true;
  }
}

/** Waits until the first use is decided. @throws its refusal. */
async function followFirstUse(sessionId: string, use: FirstUse): Promise<void> {
  const isDecided = await pollUntil(() => use.isDecided, COUNTED_DEADLINE_MS);
  // The first call was cut off, so this one is let through, and the next one counts.
  if (!isDecided) forgetFirstUse(sessionId, use);
  if (use.refusal !== undefined) throw use.refusal;
}

function forgetFirstUse(sessionId: string, use: FirstUse): void {
  if (seen.get(sessionId) === use) seen.delete(sessionId);
}

function wasReplayedTooOften(session: { counter: number; replays: number }, token: RefreshClaims): boolean {
  return session.counter === token.counter + 1 && session.replays >= replayLimit.count;
}

/** Mints both tokens from the session's row. @throws AppError `token_not_valid` when the row's key is retired. */
export async function mintTokens(deps: Deps, session: MintableSession): Promise<TokenPair> {
  const [accessToken, refreshToken] = await Promise.all([
    mintAccessToken(deps, { userId: session.userId, sessionId: session.id }),
    mintRefreshToken(deps, session),
  ]);
  if (refreshToken === undefined) throw sessionEnded("key retired");
  return { accessToken, refreshToken };
}
