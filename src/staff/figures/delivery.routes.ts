import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { getDelivery } from "./delivery.service.ts";

const count = z.number().int();
const channel = z.enum(["sms", "email"]);
const lag = count.nullable().meta({ description: "Milliseconds from request to delivery; null without a delivery." });

/** The delivery of codes during the last hour. */
const delivery = z
  .object({
    channels: z.array(
      z.object({ channel, asked: count, delivered: count, undeliverable: count, median_ms: lag, p95_ms: lag }),
    ),
    providers: z.array(
      z.object({
        provider: z.string(),
        failures: count.meta({ description: "Consecutive recipients whose messages failed." }),
        opened_until: z.iso.datetime().nullable().meta({ description: "No calls until then; null if calls are made." }),
      }),
    ),
    budget: z.array(
      z.object({
        channel,
        budget: count,
        taken: count,
        refused_by_reserve: count,
        refused_by_spent: count,
      }),
    ),
    ranges: z
      .array(z.object({ range: z.string(), codes: count }))
      .meta({ description: "Number ranges that asked for most codes, without the last four digits." }),
    networks: z.array(z.object({ network: z.string(), codes: count })),
  })
  .meta({ id: "StaffDelivery", description: "Figures are of the hour's newest 5,000 codes." });

export const getStaffDelivery = staffEndpoint(
  {
    method: "get",
    path: "/staff/delivery",
    operationId: "getStaffDelivery",
    tag: "Staff: service",
    summary: "See how codes are delivered",
    description:
      "Shows what became of the codes of the last hour, the providers, today's budgets, and who asked for most.",
    data: delivery,
    message: { en: "The delivery of codes.", ne: "कोड पठाइएको अवस्था।" },
  },
  async (deps, { caller }) => {
    const { channels, providers, budgets, ranges, networks } = await getDelivery(deps, caller);
    return {
      data: {
        channels: channels.map(({ medianMs, p95Ms, ...figures }) => ({
          ...figures,
          median_ms: medianMs,
          p95_ms: p95Ms,
        })),
        providers: providers.map(({ provider, failures, openedUntil }) => ({
          provider,
          failures,
          opened_until: isoTime(openedUntil),
        })),
        budget: budgets.map(({ refusedByReserve, refusedBySpent, ...budget }) => ({
          ...budget,
          refused_by_reserve: refusedByReserve,
          refused_by_spent: refusedBySpent,
        })),
        ranges: ranges.map(({ name, codes }) => ({ range: name, codes })),
        networks: networks.map(({ name, codes }) => ({ network: name, codes })),
      },
    };
  },
);
