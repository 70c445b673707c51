import { live, type World } from "./life.ts";

/** What the test asks a Worker to do. */
export interface Order {
  world: World;
  people: { identifier: string; ip: string }[];
}

// A Worker in which people live; the answer is their reports.
export default {
  async fetch(request: Request): Promise<Response> {
    const { world, people } = (await request.json()) as Order;
    const lives = people.map(({ identifier, ip }, i) => live({ ...world, ip }, identifier, i % 4 === 0));
    const reports = (await Promise.all(lives)).map(({ client: _, ...report }) => report);
    return Response.json(reports);
  },
};
