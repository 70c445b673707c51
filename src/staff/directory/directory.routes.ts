import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import { cursorField, optionalFlag, optionalText, pageSizeField, withoutControls } from "../../platform/http/fields.ts";
import { boundsOf } from "../../platform/kathmandu.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { isInReach, listDirectory } from "./directory.service.ts";
import { KYC_STATUSES, STATUSES } from "./status-buckets.ts";

const oneOf = <T extends readonly [string, ...string[]]>(values: T) => z.enum(values).optional();

/** An instant, or a day in Asia/Kathmandu, whose first or last millisecond it then is; as milliseconds. */
const momentField = (end: "first" | "last") =>
  z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], as("not_instant"))
    .transform((given) => (given.length > "YYYY-MM-DD".length ? Date.parse(given) : boundsOf(given)[end]))
    .optional();

const query = z
  .object({
    page: z.coerce
      .number()
      .int()
      .min(1)
      .optional()
      .meta({ description: "1 when absent. Pages reach the first 2,000 users; cursor reaches all." }),
    page_size: pageSizeField,
    cursor: cursorField,
    status: oneOf(STATUSES),
    email_verified: optionalFlag,
    phone_verified: optionalFlag,
    kyc_status: oneOf(KYC_STATUSES),
    search: optionalText(withoutControls(z.string().max(255))).meta({
      description:
        "Part of username, e-mail address or phone number, in any case, the number with or without country code and " +
        "separators. Fewer than three characters are searched at the beginning of each. Newest first, whatever ordering says.",
    }),
    start_date: momentField("first").meta({
      description: "Joined then or later: an instant, or a day in Asia/Kathmandu",
    }),
    end_date: momentField("last").meta({ description: "Joined then or earlier" }),
    ordering: z
      .enum(["date_joined", "-date_joined", "last_login", "-last_login", "username", "-username"], as("not_ordering"))
      .default("-date_joined"),
  })
  .refine(({ start_date, end_date }) => start_date === undefined || end_date === undefined || start_date <= end_date, {
    path: ["end_date"],
    message: as("before_start"),
  });

const listedUser = z.object({
  id: z.string(),
  username: z.string(),
  status: z.enum(STATUSES),
  date_joined: z.iso.datetime(),
});

const pageNumber = z.number().int().nullable();

export const getUsers = staffEndpoint(
  {
    method: "get",
    path: "/users",
    tag: "Users",
    summary: "The directory of users",
    description:
      "The cost of a page does not grow with the number of users. Where dates filter an order by last_login or username, and " +
      "in a search, a page may be short although next_cursor leads on.",
    query,
    data: z.object({
      results: z.array(listedUser),
      pagination: z.object({
        current_page: pageNumber.meta({ description: "Null where a cursor led here." }),
        total_pages: pageNumber,
        total_count: pageNumber.meta({ description: "Exact; null with search or dates." }),
        page_size: z.number().int(),
        has_next: z.boolean(),
        has_previous: z.boolean(),
        next_page: pageNumber.meta({
          description: "Null where a cursor led here, or beyond the first 2,000: use next_cursor.",
        }),
        previous_page: pageNumber,
        next_cursor: z.string().nullable(),
      }),
    }),
    message: { en: "Users.", ne: "प्रयोगकर्ताहरू।" },
  },
  async (deps, { caller, query }) => {
    const { results, page, pageSize, total, hasNext, nextCursor, note } = await listDirectory(deps, caller, {
      filter: {
        status: query.status,
        kycStatus: query.kyc_status,
        emailVerified: query.email_verified,
        phoneVerified: query.phone_verified,
      },
      joined: { from: query.start_date, to: query.end_date },
      order: readOrdering(query.ordering),
      search: query.search,
      page: query.page,
      pageSize: query.page_size,
      cursor: query.cursor,
    });
    const pages = total === undefined ? undefined : Math.ceil(total / pageSize);
    const isNextInReach = hasNext && page !== undefined && isInReach(page + 1, pageSize);
    return {
      data: {
        results: results.map(({ id, username, status, dateJoined }) => ({
          id,
          username,
          status,
          date_joined: new Date(dateJoined).toISOString(),
        })),
        pagination: {
          current_page: page ?? null,
          total_pages: pages ?? null,
          total_count: total ?? null,
          page_size: pageSize,
          has_next: hasNext,
          has_previous: page !== 1,
          next_page: isNextInReach ? page + 1 : null,
          previous_page: page !== undefined && page > 1 ? Math.min(page - 1, Math.max(1, pages ?? page)) : null,
          next_cursor: nextCursor,
        },
      },
      ...(note ? { message: note } : {}),
    };
  },
);

type Ordering = z.infer<typeof query>["ordering"];

function readOrdering(ordering: Ordering) {
  const isDescending = ordering.startsWith("-");
  return { by: ordering.replace("-", "") as "date_joined" | "last_login" | "username", isDescending };
}
