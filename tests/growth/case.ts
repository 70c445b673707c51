import type { CallOptions, SignedIn } from "../support/client.ts";
import type { Providers } from "../support/openid.ts";

/** People who act in the cases, with histories of their own that grow with the crowd. */
export interface Stage {
  providers: Providers;
  env: Partial<Env>;
  user: SignedIn;
  staff: SignedIn;
  admin: SignedIn;
  /** Whom staff act on. */
  target: SignedIn;
  /** A user whose session has ended. */
  ended: SignedIn;
}

export interface Request {
  method: string;
  path: string;
  options?: CallOptions;
}

/** A request that is made ready to be answered in one way. */
export interface Case {
  name: string;
  prepare: (stage: Stage) => Promise<Request>;
  /** Puts right what would disturb others. */
  restore?: (stage: Stage) => Promise<unknown>;
}

/** A case of an operation, `METHOD /path`; the rest of its name tells what is done. */
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

/** An id that nothing has. */
export const NOBODY = "0198c0de-0000-7000-8000-000000000000";

/** A call of production without stand-ins of providers, and not by https. */
export const PLAIN_HTTP = {
  origin: "http://api.example.com",
  env: { ENVIRONMENT: "production", ISSUER: "https://api.example.com" } as unknown as Partial<Env>,
};
