import assert from "node:assert/strict";
import { test } from "node:test";
import { assumedRoundTrips, latencies } from "../../scripts/operations/latency.ts";
import { included, PLAN_DOLLARS, prices } from "../../scripts/operations/prices.ts";
import { billOf, defaultProfile } from "../../scripts/operations/profile.ts";
import { profileSchema } from "../../scripts/operations/read-profile.ts";

const dollarsOf = (lines: ReturnType<typeof billOf>) =>
  Object.fromEntries(lines.map(({ what, dollars }) => [what, Math.round(dollars * 100) / 100]));

test("a month within the included usage costs the plan alone", () => {
  const lines = billOf(1, { ...defaultProfile, sms_share: 0 });
  assert.equal(
    lines.reduce((sum, { dollars }) => sum + dollars, 0),
    PLAN_DOLLARS,
  );
});

test("only the usage beyond what the plan includes is billed", () => {
  const profile = { calls: { me: 1 }, cpu_ms: 1, sms_dollars: 0, sms_share: 0 };
  assert.equal(dollarsOf(billOf(included.requests, profile)).requests, 0);
  assert.equal(dollarsOf(billOf(included.requests + 1_000_000, profile)).requests, prices.requests);
});

test("text messages are billed by the share of codes that are sent by SMS", () => {
  const lines = billOf(1_000, { ...defaultProfile, sms_share: 0.25, sms_dollars: 0.02 });
  assert.equal(dollarsOf(lines)["text messages"], 5);
});

test("a cost profile with an unmeasured route, a negative number of calls or an unknown field is refused", () => {
  assert.ok(profileSchema.safeParse(defaultProfile).success);
  assert.ok(!profileSchema.safeParse({ ...defaultProfile, calls: { "no/such": 1 } }).success);
  assert.ok(!profileSchema.safeParse({ ...defaultProfile, calls: { me: -1 } }).success);
  assert.ok(!profileSchema.safeParse({ ...defaultProfile, more: 1 }).success);
});

test("a route with two D1 trips is slower at the edge than beside the primary, and one with one trip is not", () => {
  const of = Object.fromEntries(latencies(assumedRoundTrips).map((each) => [each.route, each]));
  const { edge, primary, region } = assumedRoundTrips;
  assert.equal(of.me?.atEdge, edge + primary);
  assert.equal(of.me?.besidePrimary, edge + primary + region);
  assert.equal(of["google/start"]?.atEdge, edge);
  assert.ok((of["google/callback"]?.atEdge ?? 0) > (of["google/callback"]?.besidePrimary ?? 0));
});
