import { z } from "zod";
import { wholeNumber } from "../../platform/http/fields.ts";
import { isoTime } from "../../platform/time.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { getOverview, SERIES } from "./overview.service.ts";

const days = { least: 7, usual: 30, most: 90 };
const count = z.number().int();

/** Figures of several days, and of the present. */
const overview = z
  .object({
    days: z.array(z.iso.date()).meta({ description: "Days in Asia/Kathmandu; the last is today, so far." }),
    series: z.object(
      Object.fromEntries(SERIES.map((name) => [name, z.array(count)])) as Record<
        (typeof SERIES)[number],
        z.ZodArray<typeof count>
      >,
    ),
    now: z.object({
      kyc_pending: count,
      kyc_oldest_at: z.iso.datetime().nullable(),
      sms_taken: count,
      sms_budget: count,
      dead_letters: count.meta({ description: "Those that wait for a decision, at most 1,000." }),
      locks: count.meta({ description: "Sign-in locks that hold, at most 3,000." }),
    }),
  })
  .meta({
    id: "StaffOverview",
    description: "`sign_ins` are those with a one-time code. Figures of refusals are at least what they say.",
  });

export const getStaffOverview = staffEndpoint(
  {
    method: "get",
    path: "/staff/overview",
    operationId: "getStaffOverview",
    tag: "Staff: service",
    summary: "Get the figures of the service",
    description: "Shows figures a day, which a job counts each hour, and the present.",
    query: z.object({
      days: wholeNumber(z.number().int().min(days.least).max(days.most).default(days.usual)).meta({
        description: "Number of days, with today.",
      }),
    }),
    data: overview,
    message: { en: "The figures.", ne: "तथ्याङ्क।" },
  },
  async (deps, { caller, query }) => {
    const { days, series, now } = await getOverview(deps, caller, query.days);
    return {
      data: {
        days,
        series,
        now: {
          kyc_pending: now.kycPending,
          kyc_oldest_at: isoTime(now.kycOldestAt),
          sms_taken: now.smsTaken,
          sms_budget: now.smsBudget,
          dead_letters: now.deadLetters,
          locks: now.locks,
        },
      },
    };
  },
);
