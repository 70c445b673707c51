import type { z } from "zod";

/** The members as a client sends them. If a schema accepts `unknown`, the member has the type of its parsed value. */
type Sent<I, O> = { [K in keyof I]: unknown extends I[K] ? (K extends keyof O ? O[K] : I[K]) : I[K] };

/** What a client sends for a schema; undefined if the route declares none. */
type SentFor<T extends z.ZodType> = z.ZodType extends T ? undefined : Sent<z.input<T>, z.output<T>>;

/**
 * The types of a declared route, for clients in this repository that import them from the declaration (`import type`).
 * The member has no value.
 */
export interface RouteTypes<
  Method extends string,
  Path extends string,
  Body extends z.ZodType,
  Query extends z.ZodType,
  Data extends z.ZodType,
> {
  readonly types?: {
    name: `${Uppercase<Method>} ${Path}`;
    body: SentFor<Body>;
    query: SentFor<Query>;
    data: z.output<Data>;
  };
}
