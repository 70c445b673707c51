import { type SQL, sql } from "drizzle-orm";

/** The status filters of a list of users; an absent filter matches everybody. */
export interface StatusFilter {
  status?: (typeof STATUSES)[number] | undefined;
  kycStatus?: (typeof KYC_STATUSES)[number] | undefined;
  emailVerified?: boolean | undefined;
  phoneVerified?: boolean | undefined;
}

// In the order of the column's expression.
export const STATUSES = ["ACTIVE", "INACTIVE", "BANNED"] as const;
export const KYC_STATUSES = ["NOT_SUBMITTED", "PENDING", "APPROVED", "REJECTED"] as const;

/** The values of `users.status_bucket` that match the filter; undefined if it matches everybody. */
export function statusBucketsOf(filter: StatusFilter): number[] | undefined {
  if (Object.values(filter).every((value) => value === undefined)) return undefined;
  const bits = (given: boolean | undefined) => (given === undefined ? [0, 1] : [Number(given)]);
  const positions = <T>(values: readonly T[], given: T | undefined) =>
    given === undefined ? [...values.keys()] : [values.indexOf(given)];
  return positions(STATUSES, filter.status).flatMap((status) =>
    positions(KYC_STATUSES, filter.kycStatus).flatMap((kyc) =>
      bits(filter.emailVerified).flatMap((email) =>
        bits(filter.phoneVerified).map((phone) => status * 16 + kyc * 4 + email * 2 + phone),
      ),
    ),
  );
}

/** All possible values of the column. */
export const EVERY_BUCKET: readonly number[] = Array.from({ length: STATUSES.length * 16 }, (_, bucket) => bucket);

/** The status bucket in the column is one of these. */
export function hasBucket(column: SQL, buckets: readonly number[] | undefined): SQL {
  return buckets ? sql`${column} in (${sql.raw(buckets.join(", "))})` : sql`true`;
}
