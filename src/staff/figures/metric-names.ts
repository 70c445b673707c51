/** Metrics that are counted from rows, after each hour. `sign_ins` are those with a one-time code. */
export const COUNTED_METRICS = [
  ...(["sign_ups", "sign_ins", "codes_asked_sms", "codes_asked_email", "codes_delivered_sms"] as const),
  ...(["codes_delivered_email", "codes_verified", "kyc_decided", "kyc_waiting", "dead_letters"] as const),
] as const;

/** Metrics that each isolate counts itself. The stored figures are lower bounds. */
export const REFUSAL_METRICS = [
  ...(["refused_limit", "refused_unauthenticated", "refused_forbidden", "failed"] as const),
] as const;

export type RefusalMetric = (typeof REFUSAL_METRICS)[number];
