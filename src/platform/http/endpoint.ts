import { zValidator } from "@hono/zod-validator";
import type { Context, MiddlewareHandler } from "hono";
import type { z } from "zod";
import { atHome, type HomeKey, type Housed } from "../data/homes.ts";
import type { Deps } from "../deps.ts";
import type { LogFields } from "../log.ts";
import type { Tag } from "../openapi/tags.ts";
import type { AppEnv } from "./app-env.ts";
import { type Client, networkOf, originOf, readClient, readIp } from "./client.ts";
import { announceDeprecation } from "./deprecation.ts";
import { type Check, checkFields, type FileSpec, type Files, invalid, readBody, readQuery } from "./endpoint-body.ts";
import type { ErrorCode } from "./errors.ts";
import type { FieldErrors } from "./field-errors.ts";
import { type FirstLimit, rateLimitByNetwork, withinLimits } from "./first-limiter.ts";
import type { Text } from "./locale.ts";
import type { RouteTypes } from "./route-types.ts";
import type { Admission } from "./upload.ts";
import { shareUploadMemory } from "./upload-memory.ts";
import { countWrite } from "./write-limit.ts";

/** Input of a handler, fully parsed; `caller` is the result of the guard. */
export interface Input<Body, Params, Query, Caller, Upload extends Admission = Admission> {
  body: Body;
  params: Params;
  query: Query;
  files: Files;
  /** Result of `admitUpload`; undefined if no file was sent. */
  upload: Upload | undefined;
  caller: Caller;
  client: Client;
  /** Scheme and host of the request's URL. */
  origin: string;
}

/** Result of a handler; `guarded` adds the envelope. */
export interface Answer<Data> {
  data: Data;
  /** Replaces the route's default message. */
  message?: Text;
  /** Additional top-level members of the body. */
  beside?: Record<string, unknown>;
  headers?: Record<string, string>;
}

type Method = "get" | "post" | "put" | "patch" | "delete";

/** What a route is: its address, its request, its response and its limits. */
export interface EndpointSpec<
  Body extends z.ZodType,
  Params extends z.ZodType,
  Query extends z.ZodType,
  Data extends z.ZodType,
  Caller = unknown,
  Upload extends Admission = Admission,
> {
  method: Method;
  /** Below `base`, in OpenAPI syntax: `/auth/sessions/{id}`. */
  path: string;
  /** Where the route is mounted; `/api` by default. */
  base?: "/console";
  tag: Tag;
  /** Name for generated clients: a verb and its object, as in `endSession`. */
  operationId: string;
  summary: string;
  description: string;
  body?: Body;
  /** A valid body, except that tokens and codes from earlier calls are placeholders. */
  example?: Record<string, unknown>;
  /**
   * Validates fields that fit the schema against the configuration or the time. It also runs if other fields do not
   * fit, so that one response names every invalid field.
   */
  check?(deps: Deps, known: Partial<z.output<Body>>): FieldErrors;
  /** Files by field name. If one is required, only multipart bodies are accepted. */
  files?: Readonly<Record<string, FileSpec>>;
  /** Admits or refuses an upload: before more than 64 KB are read, or once a smaller form proves to contain a file. */
  admitUpload?(deps: Deps, caller: Caller, client: Client): Promise<Upload>;
  params?: Params;
  /** A repeated parameter is invalid; an empty value counts as absent. */
  query?: Query;
  data: Data;
  /** Schemas of additional top-level members of the body. */
  beside?: z.ZodRawShape;
  /** Message for people. If the response has `data.message`, it is the same text. */
  message: Text;
  status?: 200 | 201 | 202;
  /** Error codes specific to this route; those of the body, the guard and the platform are added. */
  errors?: ErrorCode[];
  /** Honours `Idempotency-Key`. */
  idempotent?: boolean;
  /** A GET that records a view, notifies the user or consumes a code. It refuses HEAD, which must do none of it. */
  hasEffect?: boolean;
  /** Days (`YYYY-MM-DD`) from which the route is deprecated, and on which it ends. See docs/versioning.md. */
  deprecated?: { since: string; sunset: string };
  /** Responds with `RateLimit` and `RateLimit-Policy` headers. */
  limited?: boolean;
  /** Counts every call in the first limiter: before the guard, or per subject once the body is parsed. */
  rateLimitByNetwork?: FirstLimit<z.output<Body>>;
  /** Counts only refused calls (4xx) in the first limiter, after the response. */
  rateLimitFailures?: FirstLimit<z.output<Body>>;
  /**
   * How calls other than GET count towards the write limit, if the guard identifies the caller: per user by default;
   * per `session` for calls that end sessions, so that nobody with another session of the user can block them; or by
   * the `service` itself, once it knows that the call will reach the database.
   */
  rateLimitWrites?: "session" | "service";
}

/** A declared route: its specification and its handler, for callers of type `Caller`. */
export interface Endpoint<Caller> {
  spec: EndpointSpec<z.ZodType, z.ZodType, z.ZodType, z.ZodType, Caller> & {
    home?(input: Input<unknown, unknown, unknown, Caller>): HomeKey;
  };
  handle(deps: Deps, input: Input<unknown, unknown, unknown, Caller>): Promise<Answer<unknown>>;
  /**
   * Has no value. It makes the type invariant, so that an endpoint compiles only with a guard of exactly its caller.
   */
  readonly caller?: (caller: Caller) => Caller;
}

/**
 * Returns a function that declares a route: its request, its response, and its handler for callers of type `Caller`.
 */
export function endpointFor<Caller>() {
  return <
    const M extends Method,
    const Path extends string,
    Data extends z.ZodType,
    Body extends z.ZodType = z.ZodType,
    Params extends z.ZodType = z.ZodType,
    Query extends z.ZodType = z.ZodType,
    Upload extends Admission = Admission,
  >(
    spec: EndpointSpec<Body, Params, Query, Data, Caller, Upload> & { method: M; path: Path } & Housed<
        Caller,
        Input<z.output<Body>, z.output<Params>, z.output<Query>, Caller, Upload>
      >,
    handle: (
      deps: Deps,
      input: Input<z.output<Body>, z.output<Params>, z.output<Query>, Caller, Upload>,
    ) => Promise<Answer<z.input<Data>>>,
  ): Endpoint<Caller> & RouteTypes<M, Path, Body, Query, Data> => ({
    spec: spec as Endpoint<Caller>["spec"],
    handle: handle as Endpoint<Caller>["handle"],
  });
}

/** Decides who may call a route. `authorize` runs before the body is read. */
export interface Guard<Caller> {
  /** Name in the route table. */
  name: string;
  /** Security scheme in the OpenAPI document; undefined for public routes. */
  security: "bearer" | undefined;
  /** Role that the caller needs. */
  role?: "staff" | "admin";
  errors: ErrorCode[];
  authorize(deps: Deps, c: Context<AppEnv>): Promise<Caller>;
  /** Whose data a call concerns, from its caller and the parameters of its path; absent for public routes. */
  home?(caller: Caller, params: unknown): HomeKey;
  /** User and session whose write limit applies; absent for public routes. */
  writer?(caller: Caller): { userId: string; sessionId: string };
  /** Fields about the caller for the request's log line. */
  logFields?(caller: Caller): LogFields;
  /** Runs for every method of the path, before a wrong method gets 405. */
  refusePath?: MiddlewareHandler<AppEnv>;
  /** Called after a successful call. */
  onSuccess?(deps: Deps, caller: Caller): void;
  /** Has no value. As in `Endpoint`, it makes the type invariant. */
  readonly caller?: (caller: Caller) => Caller;
}

/** An endpoint with its guard. The route table takes nothing else, so every route has a guard (ASVS 8.2.1). */
export interface GuardedEndpoint {
  security: Guard<unknown>["security"];
  role: Guard<unknown>["role"];
  spec: Endpoint<unknown>["spec"];
  errors: ErrorCode[];
  handlers: MiddlewareHandler<AppEnv>[];
}

/** Puts the endpoint behind the guard: authorization, limits, validation, and the JSON envelope. */
export function guarded<Caller>(guard: Guard<Caller>, { spec, handle }: Endpoint<Caller>): GuardedEndpoint {
  const isWrite = guard.writer !== undefined && spec.method !== "get";
  const admit = async (c: Context<AppEnv>) => {
    const caller = await guard.authorize(c.get("deps"), c);
    c.set("caller", caller);
    c.set("callerFields", guard.logFields?.(caller) ?? {});
  };
  const countOwnWrite = async (deps: Deps, caller: Caller) => {
    const writer = isWrite && spec.rateLimitWrites !== "service" ? guard.writer?.(caller) : undefined;
    if (writer) await countWrite(deps, spec.rateLimitWrites === "session" ? writer.sessionId : writer.userId);
  };
  const { rateLimitByNetwork: byNetwork, rateLimitFailures } = spec;
  const answer: MiddlewareHandler<AppEnv> = async (c) => {
    const deps = c.get("deps");
    const share = shareUploadMemory();
    const read = async () => {
      if (!checkParams) await admit(c);
      const client = readClient(c, spec.idempotent === true);
      const params: unknown = spec.params ? c.req.valid("param" as never) : {};
      const query = spec.query ? checkFields(spec.query, readQuery(c.req)) : {};
      const caller = c.get("caller") as Caller;
      const key = guard.home?.(caller, params) ?? "none";
      const admitUpload = () => atHome(deps, key, async (home) => spec.admitUpload?.(home, caller, client));
      // Count after validation, because an invalid body never reaches the database; but count before files are read,
      // because an upload is too costly to refuse afterwards.
      if (spec.files) await countOwnWrite(deps, caller);
      const check: Check = (known) => spec.check?.(deps, known) ?? {};
      const sent = await readBody(c.req, { ...spec, check }, share, admitUpload);
      if (!spec.files) await countOwnWrite(deps, caller);
      return { ...sent, params, query, caller, client, origin: originOf(c.req.url) };
    };
    const respond = async (input: Awaited<ReturnType<typeof read>>) => {
      const key = spec.home?.(input) ?? guard.home?.(input.caller, input.params) ?? "none";
      const answered = await atHome(deps, key, (home) => handle(home, input));
      const { data, message = spec.message, beside, headers = {} } = answered;
      for (const [name, value] of Object.entries(headers)) c.header(name, value);
      guard.onSuccess?.(deps, input.caller);
      c.header("Content-Language", input.client.locale);
      return c.json({ success: true, message: message[input.client.locale], data, ...beside }, spec.status ?? 200);
    };
    try {
      const limits = { byNetwork: byNetwork?.subject && byNetwork, failures: rateLimitFailures };
      return await withinLimits(deps, networkOf(readIp(c)), limits, read, respond);
    } finally {
      share.release();
    }
  };
  // The validator's type assumes no bindings.
  const checkParams = spec.params && (zValidator("param", spec.params, refuse) as unknown as MiddlewareHandler<AppEnv>);
  const admitFirst: MiddlewareHandler<AppEnv> = (c, next) => admit(c).then(next);
  const isLimited = isWrite || byNetwork !== undefined || rateLimitFailures !== undefined;
  return {
    security: guard.security,
    role: guard.role,
    spec,
    errors: [...guard.errors, ...(spec.errors ?? []), ...(isLimited ? (["rate_limit_exceeded"] as const) : [])],
    handlers: [
      ...(spec.deprecated ? [announceDeprecation(spec.deprecated)] : []),
      ...(byNetwork && !byNetwork.subject ? [rateLimitByNetwork(byNetwork.group)] : []),
      // Authorise before checking the path, so that unauthorised callers learn nothing about it.
      ...(checkParams ? [admitFirst, checkParams] : []),
      answer,
    ],
  };
}

function refuse(result: { success: boolean; error?: z.core.$ZodError }): void {
  if (!result.success) throw invalid(result.error?.issues ?? []);
}
