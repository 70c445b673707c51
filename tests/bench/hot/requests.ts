/** The hot routes: the most frequent calls of phones, and those that begin every session. */
export const HOT_ROUTES = ["me", "refresh", "login", "register"] as const;
export type HotRoute = (typeof HOT_ROUTES)[number];

/** The data of the `i`-th request of a route. */
export interface Person {
  userId: string;
  identifier: string;
  sessionId: string;
  accessToken: string;
  refreshToken: string;
  /** Verification token of the user's identifier; `registerToken` is that of a new identifier. */
  loginToken: string;
  registerToken: string;
  newIdentifier: string;
}

export const USER_AGENT = "users-api-bench";

/** The `i`-th request of a route; the fields of `beside` are added to its body. */
export function hotRequest(route: HotRoute, person: Person, i: number, beside: Record<string, unknown> = {}) {
  const headers: Record<string, string> = {
    "User-Agent": USER_AGENT,
    // Each request comes from its own network, so that no network limit applies.
    "CF-Connecting-IP": `10.${Math.floor(i / 250)}.${i % 250}.7`,
  };
  if (route === "me") {
    return { path: "/api/auth/me", init: { headers: { ...headers, Authorization: `Bearer ${person.accessToken}` } } };
  }
  const body = {
    refresh: { refresh_token: person.refreshToken },
    login: { identifier: person.identifier, verification_token: person.loginToken },
    register: { identifier: person.newIdentifier, verification_token: person.registerToken },
  }[route];
  return {
    path: `/api/auth/${route}`,
    init: {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify({ ...body, ...beside }),
    },
  };
}
