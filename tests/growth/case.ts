import type { CallOptions, SignedIn } from "../support/client.ts";
import type { Providers } from "../support/openid.ts";

/** The callers of the cases, whose own histories grow with the number of users. */
export interface Stage {
  providers: Providers;
  env: Partial<Env>;
  user: SignedIn;
  staff: SignedIn;
  admin: SignedIn;
  /** The user that staff act on. */
  target: SignedIn;
  /** A user whose session has ended. */
  ended: SignedIn;
}

export interface Request {
  method: string;
  path: string;
  options?: CallOptions;
}

/** A request that is prepared to get one particular outcome. */
export interface Case {
  name: string;
  prepare: (stage: Stage) => Promise<Request>;
  /** Undoes what would disturb other cases. */
  restore?: (stage: Stage) => Promise<unknown>;
}

/** A case of an operation `METHOD /path`; the rest of its name describes what it does. */
export const given = (
  operation: string,
  what: string,
  prepare: (stage: Stage) => Promise<CallOptions & { query?: string; id?: string }>,
  restore?: Case["restore"],
): Case => ({
  name: `${operation} ${what}`,
  ...(restore ? { restore } : {}),
  async prepare(stage) {
    const { query, id, ...options } = await prepare(stage);
    const [method = "", template = ""] = operation.split(" ");
    const path = template.replace("{id}", id ?? NOBODY) + (query ? `?${query}` : "");
    return { method, path, options };
  },
});

/** An id that does not exist. */
export const NOBODY = "0198c0de-0000-7000-8000-000000000000";

/** A production call by plain http, without simulated providers. */
export const PLAIN_HTTP = {
  origin: "http://api.example.com",
  env: { ENVIRONMENT: "production", ISSUER: "https://api.example.com" } as unknown as Partial<Env>,
};
