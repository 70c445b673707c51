/** The most frequent calls of phones, which are compared with a bare Worker. */
export const HOT_ROUTES = ["me", "refresh"] as const;
export type HotRoute = (typeof HOT_ROUTES)[number];

/** The data of the `i`-th request of a route. */
export interface Person {
  userId: string;
  sessionId: string;
  accessToken: string;
  refreshToken: string;
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
  return {
    path: `/api/auth/${route}`,
    init: {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: person.refreshToken, ...beside }),
    },
  };
}
