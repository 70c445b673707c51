import { and, eq, gt, ne, type SQL, sql } from "drizzle-orm";
import { base64url } from "jose";
import { idempotencyKeys } from "../../db/platform-schema.ts";
import { keyedHash } from "../crypto.ts";
import type { Deps } from "../deps.ts";
import { DAY_MS } from "../time.ts";
import { insertFrom } from "./database.ts";
import type { BuilderDeps, Value } from "./prepared.ts";

/** How long a key stays bound, unless a route uses a shorter time. */
export const IDEMPOTENCY_TTL_MS = DAY_MS;

/** A caller's `Idempotency-Key`, scoped to a route and an identifier or session, and the body sent with it. */
export interface IdempotentCall {
  keyHash: string;
  bodyHash: string;
}

/** The part of a call that is known before its body is read. */
export type CallKey = Pick<IdempotentCall, "keyHash">;

/**
 * Hashes key and body; undefined if the caller sent no key.
 *
 * @param body the parsed and validated values. Absent, null and undefined members are equivalent, and their order does
 *   not matter.
 */
export async function identifyCall(
  deps: Pick<Deps, "keyring">,
  idempotencyKey: string | undefined,
  route: string,
  scope: string,
  body: Readonly<Record<string, unknown>>,
): Promise<IdempotentCall | undefined> {
  const key = await identifyKey(deps, idempotencyKey, route, scope);
  if (!key) return undefined;
  const bodyHash = await keyedHash(
    deps.keyring.lookup,
    "idempotency-body",
    route,
    scope,
    JSON.stringify(canonical(body)),
  );
  return { ...key, bodyHash: base64url.encode(bodyHash) };
}

/** Hashes a key in its scope before the body is read; undefined if the caller sent no key. */
export async function identifyKey(
  deps: Pick<Deps, "keyring">,
  idempotencyKey: string | undefined,
  route: string,
  scope: string,
): Promise<CallKey | undefined> {
  if (idempotencyKey === undefined) return undefined;
  const keyHash = await keyedHash(deps.keyring.lookup, "idempotency-key", route, scope, idempotencyKey);
  return { keyHash: base64url.encode(keyHash) };
}

/** Sorts the members of each object and drops null and undefined ones. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined && member !== null);
  const sorted = members.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, member]) => [name, canonical(member)]));
}

type DbDeps = Pick<BuilderDeps, "db" | "now">;

/** A call's hashes, or the placeholders of a prepared statement. */
type Hashes = { [K in keyof IdempotentCall]: Value<string> };

const NEVER = sql`0`;

/** The key is bound to any body. */
export function isBound(deps: DbDeps, call: Pick<Hashes, "keyHash"> | undefined): SQL {
  return call ? sql`exists ${boundTo(deps, call)}` : NEVER;
}

/** The key is bound to this body. */
export function isBoundToBody(deps: DbDeps, call: Hashes | undefined): SQL {
  return call ? sql`exists ${boundTo(deps, call, eq(idempotencyKeys.bodyHash, call.bodyHash))}` : NEVER;
}

/** The key is bound to another body. */
export function isBoundToOtherBody(deps: DbDeps, call: Hashes | undefined): SQL {
  return call ? sql`exists ${boundTo(deps, call, ne(idempotencyKeys.bodyHash, call.bodyHash))}` : NEVER;
}

/** Scalar subquery for the id of the result that the key is bound to; NULL if it is not bound. */
export function boundResultId(deps: DbDeps, call: Pick<Hashes, "keyHash">, more?: SQL): SQL {
  return sql`${boundTo(deps, call, more)}`;
}

function boundTo(deps: DbDeps, call: Pick<Hashes, "keyHash">, more?: SQL) {
  return deps.db
    .select({ resultId: idempotencyKeys.resultId })
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.keyHash, call.keyHash), gt(idempotencyKeys.expiresAt, deps.now()), more));
}

/**
 * Binds the key in the batch that creates the result. Replaces an expired binding; `condition` must exclude a live one.
 *
 * @param result `from`: a FROM clause of one row for its other members; none by default.
 */
export function bindKey(
  deps: DbDeps,
  call: Hashes | undefined,
  result: { id: Value<string>; number?: Value<number>; expiresAt: Value<number>; from?: SQL },
  condition: SQL,
) {
  if (!call) return undefined;
  return insertFrom(
    deps,
    idempotencyKeys,
    {
      keyHash: call.keyHash,
      bodyHash: call.bodyHash,
      resultId: result.id,
      resultNumber: result.number ?? null,
      expiresAt: result.expiresAt,
    },
    sql`${result.from ?? sql``} where ${condition}`,
  ).onConflictDoUpdate({
    target: idempotencyKeys.keyHash,
    set: {
      bodyHash: sql`excluded.body_hash`,
      resultId: sql`excluded.result_id`,
      resultNumber: sql`excluded.result_number`,
      expiresAt: sql`excluded.expires_at`,
    },
  });
}

/** Reads the binding after the batch's writes. */
export function findBinding(deps: DbDeps, call: Pick<Hashes, "keyHash"> | undefined) {
  if (!call) return undefined;
  return deps.db
    .select({
      bodyHash: idempotencyKeys.bodyHash,
      resultId: idempotencyKeys.resultId,
      resultNumber: idempotencyKeys.resultNumber,
    })
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.keyHash, call.keyHash), gt(idempotencyKeys.expiresAt, deps.now())));
}
