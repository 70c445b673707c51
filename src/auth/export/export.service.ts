import { z } from "zod";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { readCursor, writeCursor } from "../../platform/http/cursor.ts";
import { AppError, fieldError } from "../../platform/http/errors.ts";
import { beyondLimit } from "../../platform/http/rate-limit.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { openKyc } from "../../users/kyc/kyc.service.ts";
import { identityOf } from "../identity/identity.store.ts";
import { continueExport, startExport } from "./export.store.ts";
import type { ExportPage } from "./export.views.ts";
import { EXPORT_LIFE_MS, exportsPerDay } from "./export-limits.ts";
import { EXPORT_LISTS, type Positions } from "./export-lists.store.ts";

/** Id of the export, and where each list goes on. */
const position = z.array(z.string().nullable()).length(1 + EXPORT_LISTS.length);

/**
 * A page of all that is held about the caller. The first page of an export is counted, recorded and told to the caller.
 *
 * @throws AppError `token_not_valid`, `reauthentication_required`; `rate_limit_exceeded` after 3 exports in a day;
 *   `validation_error` for a cursor that is not one of the caller's exports of the last hour.
 */
export async function exportOwnData(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  origin: string,
  cursor: string | undefined,
): Promise<ExportPage> {
  const after = await readCursor(deps, queryOf(caller), cursor, position);
  if (!after) return startOwnExport(deps, client, caller, origin);
  const [id, ...places] = after;
  const exportId = id ?? "";
  if (timeOfId(exportId) <= deps.now() - EXPORT_LIFE_MS) throw fieldError("cursor", "unknown_cursor");
  const from = Object.fromEntries(EXPORT_LISTS.map((name, i) => [name, places[i] ?? null])) as Positions;
  const { state, lists, next } = await continueExport(deps, caller, from);
  if (!state) throw sessionEnded();
  if (state.obstacle === "reauthentication_required") throw new AppError(state.obstacle);
  const { readThrough } = state;
  return { ...(await endOf(deps, caller, exportId, next)), person: null, lists, readThrough };
}

async function startOwnExport(deps: Deps, client: Client, caller: AccessClaims, origin: string): Promise<ExportPage> {
  const { exportId, state, person, lists, next, events } = await startExport(deps, client, caller);
  const own = identityOf(person);
  if (!state || !own) throw sessionEnded();
  if (exportId === undefined) {
    if (state.obstacle !== "rate_limit_exceeded") throw new AppError("reauthentication_required");
    const waitSeconds = Math.ceil((state.limitEndsAt - deps.now()) / 1000);
    throw beyondLimit("exports", exportsPerDay, waitSeconds, "exports in a day");
  }
  deps.afterResponse(publishCoalesced(deps, events));
  const row = person.kyc[0]?.kyc;
  const opened = row ? await openKyc(deps, origin, caller, row) : null;
  const { readThrough } = state;
  return {
    ...(await endOf(deps, caller, exportId, next)),
    person: { ...person, own, openKyc: opened },
    lists,
    readThrough,
  };
}

const queryOf = ({ userId }: AccessClaims) => ["export", userId];

async function endOf(deps: Deps, caller: AccessClaims, exportId: string, next: Positions) {
  const positions = EXPORT_LISTS.map((name) => next[name]);
  const goesOn = positions.some((each) => each !== null);
  return {
    exportedAt: timeOfId(exportId),
    nextCursor: goesOn ? await writeCursor(deps, queryOf(caller), [exportId, ...positions]) : null,
  };
}
