import { withDeadline } from "../platform/data/database.ts";
import { identifyCall } from "../platform/data/idempotency.ts";
import { publishCoalesced } from "../platform/data/relay.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { AppError } from "../platform/http/errors.ts";
import { countWrite } from "../platform/http/write-limit.ts";
import { denySessions, isDenied } from "./denylist.store.ts";
import { sessionEnded, tokenNotValid } from "./guard.ts";
import { MAX_REPLAYS, rotateSession } from "./refresh.store.ts";
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
 * Trades a refresh token for its successor and a fresh access token. An app that lost the answer may ask again and gets
 * the same successor, byte for byte, while nobody has used it.
 *
 * @throws AppError `token_not_valid` when the token is expired, forged, used before or of an ended session; showing one
 *   older than the immediate parent ends its session. `idempotency_key_reused`, `rate_limit_exceeded` after 200 replays,
 *   and where the user writes too often.
 */
export async function refreshSession(deps: Deps, client: Client, refreshToken: string): Promise<TokenPair> {
  const verified = await verifyRefreshToken(deps, refreshToken);
  if (verified.state !== "valid") throw tokenNotValid(verified);
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
    throw tokenNotValid({ state: "invalid", reason: "refresh token reuse" });
  }
  const { session } = outcome;
  if (denied || !session || session.revokedAt !== null) throw sessionEnded();
  if (outcome.rotated || outcome.replayed) return mintTokens(deps, session);
  if (call && outcome.binding && outcome.binding.bodyHash !== call.bodyHash)
    throw new AppError("idempotency_key_reused");
  if (wasReplayedTooOften(session, token)) {
    throw new AppError("rate_limit_exceeded", { reason: "replays of one rotation", retryAfterSeconds: 120 });
  }
  throw tokenNotValid({ state: "invalid", reason: "session not usable" });
}

const MAX_REMEMBERED = 10_000;
/** How long a repetition waits for the first call to be counted, in milliseconds. */
const COUNTED_DEADLINE_MS = 1_000;
/** The newest token that this isolate has been shown of a session, and whether its use was let pass. */
const shown = new Map<string, { counter: number; counted: Promise<void> }>();

/**
 * Counts the first use of a token as a write of its user. A repetition is not counted: an app that lost an answer repeats
 * its call, and the replays of one rotation have a limit of their own.
 *
 * @throws AppError `rate_limit_exceeded`.
 */
async function countFirstUse(deps: Deps, { sessionId, userId, counter }: RefreshClaims): Promise<void> {
  const known = shown.get(sessionId);
  const isRepetition = known !== undefined && known.counter >= counter;
  const counted = isRepetition ? known.counted : countWrite(deps, userId);
  if (!isRepetition) {
    if (shown.size >= MAX_REMEMBERED) shown.clear();
    shown.set(sessionId, { counter, counted });
  }
  try {
    await withDeadline(counted, COUNTED_DEADLINE_MS);
  } catch (error) {
    if (shown.get(sessionId)?.counted === counted) shown.delete(sessionId);
    // The first call may have been cut off.
    if (error instanceof AppError) throw error;
  }
}

function wasReplayedTooOften(session: { counter: number; replays: number }, token: RefreshClaims): boolean {
  return session.counter === token.counter + 1 && session.replays >= MAX_REPLAYS;
}

/** Both tokens of a session as its row stands. @throws AppError `token_not_valid` when its key has been retired. */
export async function mintTokens(deps: Deps, session: MintableSession): Promise<TokenPair> {
  const [accessToken, refreshToken] = await Promise.all([
    mintAccessToken(deps, { userId: session.userId, sessionId: session.id }),
    mintRefreshToken(deps, session),
  ]);
  if (refreshToken === undefined) throw tokenNotValid({ state: "invalid", reason: "key retired" });
  return { accessToken, refreshToken };
}
