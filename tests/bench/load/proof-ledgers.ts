import { type Check, check, checkNone, differenceOf, type Evidence, rowsBy } from "./proof.ts";

/** Wallets, points, statistics, platform events, identity documents. */
export function proveLedgers({ users: query, bucket, people, journal }: Evidence): Check[] {
  const there = people.filter(({ isDeleted }) => !isDeleted);
  const byUser = (sql: string) => rowsBy(query(sql), "user_id");
  const wallets = byUser(`select user_id, balance_minor,
    (select coalesce(sum(wallet_delta_minor), 0) from wallet_transactions t where t.user_id = wallets.user_id) as ledger from wallets`);
  const points = byUser(`select p.user_id, current_points, total_points, coalesce(sum(delta), 0) as ledger,
    coalesce(sum(max(0, delta)), 0) as gained, coalesce(sum(reason = 'signup_bonus'), 0) as bonuses
    from points p left join point_transactions t on t.user_id = p.user_id group by p.user_id`);
  const statistics = byUser("select * from user_statistics");
  const marks = new Map(
    query("select event_id, count(*) as n from processed_events where consumer like 'platform:%' group by 1").map(
      ({ event_id, n }) => [event_id, n],
    ),
  );
  const sent = new Set(journal.people.flatMap(({ eventIds }) => eventIds));
  const kyc = byUser("select user_id, status, version from kyc");
  const documents = query("select id, user_id, object_key, state from kyc_documents");
  const objects = new Set(bucket("select key from _mf_objects").map(({ key }) => key));
  const live = rowsBy(
    documents.filter(({ state }) => state === "live"),
    "user_id",
  );
  const known = new Set(documents.map(({ object_key }) => object_key));

  return [
    check("balances equal the sums of the ledger and of the reported payments", there, ({ userId, walletMinor }) => {
      const row = wallets.get(userId)?.[0];
      return differenceOf(userId, [row?.balance_minor, row?.ledger], [walletMinor, walletMinor]);
    }),
    check("points equal the sums of the ledger and of reported points, referrals and one bonus", there, (person) => {
      const row = points.get(person.userId)?.[0];
      return differenceOf(
        person.userId,
        [row?.current_points, row?.ledger, row?.total_points, row?.gained, row?.bonuses],
        [person.points, person.points, person.totalPoints, person.totalPoints, person.bonuses],
      );
    }),
    check("statistics count each rental, payment, station and referral once", there, (person) => {
      const row = statistics.get(person.userId)?.[0] ?? {};
      return differenceOf(
        person.userId,
        [
          row.total_rentals ?? 0,
          row.timely_returns ?? 0,
          row.late_returns ?? 0,
          row.total_spent_minor ?? 0,
          row.favorite_stations_count ?? 0,
          row.total_referrals ?? 0,
        ],
        [
          person.totalRentals,
          person.timelyReturns,
          person.lateReturns,
          person.spentMinor,
          person.favorites.length,
          person.referrals,
        ],
      );
    }),
    check("each platform event was processed once", there, ({ userId, eventIds }) => {
      const missing = eventIds.filter((id) => marks.get(id) !== 1);
      return missing.length > 0 ? `${userId}: ${missing.length} of ${eventIds.length} not` : undefined;
    }),
    check("only sent events were processed", marks.keys(), (id) => (sent.has(String(id)) ? undefined : String(id))),
    check("each KYC is the one submitted and decided last, with its files", there, (person) => {
      const row = kyc.get(person.userId)?.[0];
      const files = live.get(person.userId)?.length ?? 0;
      const { status, version, files: submitted } = person.kyc ?? { files: 0 };
      return differenceOf(person.userId, [row?.status, row?.version, files], [status, version, submitted]);
    }),
    check("each file referenced by a KYC is in R2", documents, ({ state, object_key }) =>
      state === "live" && !objects.has(object_key) ? String(object_key) : undefined,
    ),
    check("each object in R2 has a row", objects, (key) => (known.has(key) ? undefined : String(key))),
    check("R2 contains no files of deleted users", people, ({ userId, isDeleted }) => {
      const left = isDeleted ? [...objects].filter((key) => String(key).includes(userId)) : [];
      return left.length > 0 ? left.join(", ") : undefined;
    }),
    checkNone(
      "no ledger has a duplicate entry",
      query(`select source, transaction_id, transaction_type, count(*) as n from wallet_transactions
        group by 1, 2, 3 having n > 1`),
    ),
  ];
}
