import { TokenVerifier } from "../../../src/index.ts";
import type { SignedIn } from "../../support/client.ts";
import { newEvent, topUp } from "../../support/platform.ts";
import { reportByRpc } from "../../support/reporting-service.ts";
import type { FetchHandler } from "../../support/simulator/simulation.ts";
import { flow, traceless } from "../flow-table.ts";
import { newUser, sql } from "../people.ts";

/** Platform events received by queue. */
const platform = (name: string, bodiesOf: (user: SignedIn, inviter: SignedIn) => object[]) =>
  flow(`platform event ${name}`, async () => {
    const inviter = await newUser();
    const [row] = await sql<{ code: string }>("select referral_code as code from users where id = ?", inviter.userId);
    const user = await newUser({}, { referral_code: row?.code ?? "" });
    const bodies = bodiesOf(user, inviter);
    return {
      scope: { userIds: [user.userId, inviter.userId] },
      messages: bodies.map((body) => ({ queue: "platform-events", body })),
    };
  });

const rental = (id: string) => ({ rental_id: id, station_id: "station-1" });

const rpc = flow("RPC PlatformEvents.record", async () => {
  const user = await newUser();
  const event = topUp(user.userId, "150.00");
  return {
    scope: { userIds: [user.userId] },
    request: { method: "POST", path: "/", options: { json: event } },
    handler: orUnavailable(reportByRpc),
    // A caller without an answer sends the event again with the same id.
    success: 200,
  };
});

const checkToken: FetchHandler = async (request, env, context) => {
  const token = request.headers.get("authorization")?.slice("Bearer ".length);
  const answer = await new TokenVerifier(context, env).verifyAccessToken(token);
  if (!answer.valid) return Response.json(answer, { status: 401 });
  return Response.json(answer);
};

const verifier = flow("RPC TokenVerifier.verifyAccessToken", async () => {
  const user = await newUser();
  return {
    scope: { userIds: [user.userId] },
    request: { method: "POST", path: "/", options: { token: user.access } },
    handler: orUnavailable(checkToken),
  };
});

/** Turns an exception into a 503, as seen by a service that calls by RPC. */
function orUnavailable(handler: FetchHandler): FetchHandler {
  return async (request, env, context) => {
    try {
      return await handler(request, env, context);
    } catch (error) {
      const body = { success: false, error: { code: (error as { code?: string }).code }, request_id: "rpc" };
      return Response.json(body, { status: 503, headers: { "retry-after": "1" } });
    }
  };
}

const health = flow("GET health", async () => ({
  scope: {},
  request: { method: "GET", path: "/api/health", options: {} },
}));

export const platformFlows = [
  platform("rental.started", (user) => [newEvent(user.userId, "rental.started", rental(`r-${user.userId}`))]),
  platform("rental.returned", (user) => [
    newEvent(user.userId, "rental.returned", { rental_id: `r-${user.userId}`, on_time: true, amount: "50.00" }),
  ]),
  platform("transaction.succeeded", (user) => [topUp(user.userId, "500.00")]),
  platform("points.changed", (user) => [
    newEvent(user.userId, "points.changed", { delta: 20, reason: "quiz", reference: `q-${user.userId}` }),
  ]),
  platform("station.favorited", (user) => [newEvent(user.userId, "station.favorited", { station_id: "station-1" })]),
  rpc,
  traceless(verifier),
  traceless(health),
];
