import { zValidator } from "@hono/zod-validator";
import type { Context, MiddlewareHandler } from "hono";
import type { z } from "zod";
import type { Deps } from "../deps.ts";
import type { AppEnv } from "./app-env.ts";
import type { Fields } from "./body.ts";
import { type Client, networkOf, readClient, readIp } from "./client.ts";
import { checkFields, type FileSpec, type Files, invalid, readBody } from "./endpoint-body.ts";
import type { ErrorCode } from "./errors.ts";
import { type FirstLimit, rateLimitByNetwork, withinLimits } from "./first-limiter.ts";
import type { Text } from "./locale.ts";
import type { Admission } from "./upload.ts";
import { shareUploadMemory } from "./upload-memory.ts";
import { countWrite } from "./write-limit.ts";

/** What a handler gets: everything already parsed; `caller` is what the guard found. */
export interface Input<Body, Params, Query, Caller, Upload extends Admission = Admission> {
  body: Body;
  params: Params;
  query: Query;
  files: Files;
  /** What `admitUpload` gave; undefined where no file was sent. */
  upload: Upload | undefined;
  caller: Caller;
  client: Client;
  /** Scheme and host that the call came to. */
  origin: string;
}

/** What a handler gives back; the helper adds the envelope. */
export interface Answer<Data> {
  data: Data;
  /** Replaces the route's own message, where there is more to say. */
  message?: Text;
  /** Further members of the body beside `data`. */
  beside?: Record<string, unknown>;
  headers?: Record<string, string>;
}

interface EndpointSpec<
  Body extends z.ZodType,
  Params extends z.ZodType,
  Query extends z.ZodType,
  Data extends z.ZodType,
  Caller = unknown,
  Upload extends Admission = Admission,
> {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** OpenAPI form: `/auth/sessions/{id}`. */
  path: string;
  tag: string;
  summary: string;
  description: string;
  body?: Body;
  /** Files of a multipart body, by their field. Where one is required no other format will do. */
  files?: Readonly<Record<string, FileSpec>>;
  /** Lets an upload in, or refuses it, before more of the body is read than a form without files has. */
  admitUpload?(deps: Deps, caller: Caller, client: Client): Promise<Upload>;
  params?: Params;
  /** A name given more than once fits no field of one value; an empty value counts as absent. */
  query?: Query;
  data: Data;
  /** Schemas of further members of the body beside `data`. */
  beside?: z.ZodRawShape;
  /** For a person; `data.message` where the contract has one is the same text. */
  message: Text;
  status?: 200 | 201 | 202;
  /** Codes of this route's own; those of the body, the guard and the platform are added. */
  errors?: ErrorCode[];
  /** Honours `Idempotency-Key`. */
  idempotent?: boolean;
  /** Answers with `RateLimit` and `RateLimit-Policy`. */
  limited?: boolean;
  /** Counts every call in the first limiter: before the guard, or with a subject once the body is parsed. */
  rateLimitByNetwork?: FirstLimit<z.output<Body>>;
  /** Counts refused calls (4xx) alone in the first limiter, after the response. */
  rateLimitFailures?: FirstLimit<z.output<Body>>;
  /**
   * What calls with a method other than GET are counted by, where the guard knows who writes: by the user where absent;
   * by the `session`, for what ends sessions, so that nobody who acts as the same user can stand in its way; or by the
   * `service`, once it knows that the call will reach the database.
   */
  rateLimitWrites?: "session" | "service";
}

export interface Endpoint<Caller> {
  spec: EndpointSpec<z.ZodType, z.ZodType, z.ZodType, z.ZodType, Caller>;
  handle(deps: Deps, input: Input<unknown, unknown, unknown, Caller>): Promise<Answer<unknown>>;
}

/** Gives the function that declares a route once: its request, its answer, and its handler for such a caller. */
export function endpointFor<Caller>() {
  return <
    Data extends z.ZodType,
    Body extends z.ZodType = z.ZodType,
    Params extends z.ZodType = z.ZodType,
    Query extends z.ZodType = z.ZodType,
    Upload extends Admission = Admission,
  >(
    spec: EndpointSpec<Body, Params, Query, Data, Caller, Upload>,
    handle: (
      deps: Deps,
      input: Input<z.output<Body>, z.output<Params>, z.output<Query>, Caller, Upload>,
    ) => Promise<Answer<z.input<Data>>>,
  ): Endpoint<Caller> => ({ spec, handle: handle as Endpoint<Caller>["handle"] });
}

/** Decides who may call. `authorize` sees the request before the body is read. */
export interface Guard<Caller> {
  /** As the OpenAPI document names the requirement; none means anyone. */
  security: "bearer" | undefined;
  errors: ErrorCode[];
  authorize(deps: Deps, c: Context<AppEnv>): Promise<Caller>;
  /** Whose writes the caller's are, for their limit; a guard without it lets anyone in. */
  writer?(caller: Caller): { userId: string; sessionId: string };
  /** Called after a success, with the caller it let in. */
  onSuccess?(deps: Deps, caller: Caller): void;
}

/** An endpoint with its guard: the only thing that can be mounted, so no route is without one (ASVS 8.2.1). */
export interface GuardedEndpoint {
  security: Guard<unknown>["security"];
  spec: Endpoint<unknown>["spec"];
  errors: ErrorCode[];
  handlers: MiddlewareHandler<AppEnv>[];
}

export function guarded<Caller>(guard: Guard<Caller>, { spec, handle }: Endpoint<Caller>): GuardedEndpoint {
  const isWrite = guard.writer !== undefined && spec.method !== "get";
  const admit = async (c: Context<AppEnv>) => {
    c.set("caller", await guard.authorize(c.get("deps"), c));
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
      const query = spec.query ? checkFields(spec.query, readQuery(c)) : {};
      const caller = c.get("caller") as Caller;
      const admitUpload = async () => spec.admitUpload?.(deps, caller, client);
      // A body that does not fit never reaches the database; one with files is too much work to be refused after it.
      if (spec.files) await countOwnWrite(deps, caller);
      const sent = await readBody(c.req, spec, share, admitUpload);
      if (!spec.files) await countOwnWrite(deps, caller);
      return { ...sent, params, query, caller, client, origin: originOf(c.req.url) };
    };
    const respond = async (input: Awaited<ReturnType<typeof read>>) => {
      const { data, message = spec.message, beside, headers = {} } = await handle(deps, input);
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
  // Its type fixes the bindings to none at all.
  const checkParams = spec.params && (zValidator("param", spec.params, refuse) as unknown as MiddlewareHandler<AppEnv>);
  const admitFirst: MiddlewareHandler<AppEnv> = (c, next) => admit(c).then(next);
  const isLimited = isWrite || byNetwork !== undefined || rateLimitFailures !== undefined;
  return {
    security: guard.security,
    spec,
    errors: [...guard.errors, ...(spec.errors ?? []), ...(isLimited ? (["rate_limit_exceeded"] as const) : [])],
    handlers: [
      ...(byNetwork && !byNetwork.subject ? [rateLimitByNetwork(byNetwork.group)] : []),
      // Who may not call is told so before what is wrong with the path.
      ...(checkParams ? [admitFirst, checkParams] : []),
      answer,
    ],
  };
}

/** The URL of a request is absolute, of http or https: the first slash after the scheme's ends its origin. */
function originOf(url: string): string {
  return url.slice(0, url.indexOf("/", "https://".length));
}

function readQuery(c: Context<AppEnv>): Fields {
  const given = Object.entries(c.req.queries()).map(([name, values]): [string, unknown] => {
    const [only, ...others] = values.filter((value) => value !== "");
    return [name, others.length > 0 ? values : only];
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

function refuse(result: { success: boolean; error?: z.core.$ZodError }): void {
  if (!result.success) throw invalid(result.error?.issues ?? []);
}
