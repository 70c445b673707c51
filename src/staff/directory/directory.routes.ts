import { z } from "zod";
import { boundsOf } from "../../nepal.ts";
import { as } from "../../platform/http/field-errors.ts";
import {
  besideErrors,
  cursorField,
  optionalFlag,
  optionalText,
  pageSizeField,
  wholeNumber,
  withoutControls,
} from "../../platform/http/fields.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { accountStatus, kycState } from "../../users/user-enums.ts";
import { isInReach, listDirectory } from "./directory.service.ts";
import { listedUserView, viewListedUser } from "./directory.views.ts";

/**
 * Accepts an instant or a day in Asia/Kathmandu, and yields epoch milliseconds; a day yields its first or last
 * millisecond.
 */
const momentField = (end: "first" | "last") =>
  z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], as("not_instant"))
    .transform((given) => (given.length > "YYYY-MM-DD".length ? Date.parse(given) : boundsOf(given)[end]))
    .optional();

const query = z
  .object({
    page: wholeNumber(z.number().int().min(1).optional())
      .optional()
      .meta({ description: "Defaults to 1. Pages reach the first 2,000 users; use cursor to go further." }),
    page_size: pageSizeField,
    cursor: cursorField,
    status: accountStatus.optional().meta({ description: "Users with this status." }),
    email_verified: optionalFlag.meta({ description: "Whether the email is verified." }),
    phone_verified: optionalFlag.meta({ description: "Whether the phone number is verified." }),
    kyc_status: kycState.optional().meta({ description: "Users with this verification." }),
    search: optionalText(withoutControls(z.string().max(255))).meta({
      description:
        "Part of a username, email address or phone number, words of a full name in any order, or a whole referral code or " +
        "document number. Fewer than three characters match only the beginning. Newest first; ordering is ignored.",
    }),
    expand: z
      .enum(["summary"])
      .optional()
      .meta({ description: "`summary` adds full name, hints, verification, role and last sign-in to each user." }),
    start_date: momentField("first").meta({
      description: "Users who joined at this time or later: an instant, or a day in Asia/Kathmandu.",
    }),
    end_date: momentField("last").meta({
      description:
        "Users who joined at this time or earlier: an instant, or a day in Asia/Kathmandu; not before `start_date`.",
    }),
    ordering: z
      .enum(["date_joined", "-date_joined", "last_login", "-last_login", "username", "-username"], as("not_ordering"))
      .default("-date_joined")
      .meta({ description: "`-` is descending." }),
  })
  .refine(({ start_date, end_date }) => !(Number(start_date) > Number(end_date)), {
    when: besideErrors,
    path: ["end_date"],
    message: as("before_start"),
  });

const pageNumber = z.number().int().nullable();

const page = z
  .object({
    current_page: pageNumber.meta({ description: "Null if the request has a cursor." }),
    total_pages: pageNumber,
    total_count: pageNumber.meta({ description: "The exact number of users; null with search or dates." }),
    page_size: z.number().int(),
    has_next: z.boolean(),
    has_previous: z.boolean(),
    next_page: pageNumber.meta({
      description: "Null with a cursor, after a short page and beyond the first 2,000 users: use next_cursor.",
    }),
    previous_page: pageNumber,
    next_cursor: z.string().nullable(),
  })
  .meta({ id: "Page" });

export const getUsers = staffEndpoint(
  {
    method: "get",
    path: "/users",
    operationId: "listUsers",
    tag: "Staff: users",
    summary: "List and search users",
    description:
      "Send either `page` or `cursor`. A page of a search, or with dates and an ordering by last_login or username, can " +
      "be short although more follow.",
    query,
    data: z.object({
      results: z.array(listedUserView),
      pagination: page,
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
      isExpanded: query.expand === "summary",
    });
    const pages = total === undefined ? undefined : Math.ceil(total / pageSize);
    // The next number would skip users whom a page that stopped early did not reach.
    const isFull = results.length === pageSize;
    const isNextInReach = hasNext && isFull && page !== undefined && isInReach(page + 1, pageSize);
    return {
      data: {
        results: results.map(viewListedUser),
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
