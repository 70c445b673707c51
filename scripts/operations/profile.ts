import { backgroundCosts } from "./background-costs.ts";
import { callCosts } from "./call-costs.ts";
import { included, OPERATIONS_PER_MESSAGE, PLAN_DOLLARS, prices } from "./prices.ts";

/** What a user does in a month. */
export interface Profile {
  /** Calls per user and month, by route of `callCosts`. */
  calls: Record<string, number>;
  /** CPU milliseconds of a call or of a consumed message. */
  cpu_ms: number;
  /** US dollars for a text message. */
  sms_dollars: number;
  /** Share of the codes that are sent by SMS. */
  sms_share: number;
}

/** One sign-in with a code, two refreshes a day, and a few reads a day. */
export const defaultProfile: Profile = {
  calls: { "otp/request": 1, "otp/verify": 1, login: 1, refresh: 60, me: 100, wallet: 80, "usage-stats": 20 },
  cpu_ms: 5,
  sms_dollars: 0.01,
  sms_share: 1,
};

/** One line of a month's bill. */
export interface BillLine {
  what: string;
  /** Units used in the month. */
  used: number;
  /** US dollars beyond what the plan includes. */
  dollars: number;
}

/** The bill of a month, from the measured costs of each call and of all that it causes. */
export function billOf(users: number, { calls, cpu_ms, sms_dollars, sms_share }: Profile): BillLine[] {
  const sum = (unitsOf: (route: string) => number) =>
    users * Object.entries(calls).reduce((total, [route, count]) => total + count * unitsOf(route), 0);
  const of = (route: string) => {
    const [own, background] = [callCosts[route], backgroundCosts[route]];
    if (!own || !background) throw new Error(`no measured cost of ${route}`);
    return { ...own, background };
  };
  const beyond = (name: keyof typeof included, used: number): BillLine => ({
    what: names[name],
    used,
    dollars: (Math.max(0, used - included[name]) / 1_000_000) * prices[name],
  });
  const codes = users * (calls["otp/request"] ?? 0) * sms_share;
  return [
    { what: "Workers Paid", used: 1, dollars: PLAN_DOLLARS },
    beyond(
      "requests",
      sum(() => 1),
    ),
    beyond(
      "cpuMs",
      sum((route) => cpu_ms * (1 + of(route).background.messages)),
    ),
    beyond(
      "rowsRead",
      sum((route) => of(route).rowsRead + of(route).background.rowsRead),
    ),
    beyond(
      "rowsWritten",
      sum((route) => of(route).rowsWritten + of(route).background.rowsWritten),
    ),
    beyond(
      "kvReads",
      sum((route) => of(route).background.kvReads),
    ),
    beyond(
      "kvWrites",
      sum((route) => of(route).background.kvWrites),
    ),
    beyond(
      "queueOperations",
      sum((route) => OPERATIONS_PER_MESSAGE * of(route).background.messages),
    ),
    { what: "text messages", used: codes, dollars: codes * sms_dollars },
  ];
}

const names: Record<keyof typeof included, string> = {
  requests: "requests",
  cpuMs: "CPU milliseconds",
  rowsRead: "rows read",
  rowsWritten: "rows written",
  kvReads: "KV reads",
  kvWrites: "KV writes",
  queueOperations: "queue operations",
};
