import type { ComponentChildren } from "preact";

const ZONE = "Asia/Kathmandu";
const day = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });
const count = new Intl.NumberFormat("en-IN");

/** A number with separators as in Nepal and India: 12,34,567. */
export const number = (value: number) => count.format(value);

/** A day in Kathmandu. */
export function Day({ at }: { at: string | null | undefined }) {
  if (!at) return <span class="none">–</span>;
  return (
    <time dateTime={at} title={`${day.format(new Date(at))}, ${clock.format(new Date(at))} in Kathmandu`}>
      {day.format(new Date(at))}
    </time>
  );
}

/** An instant in Kathmandu. */
export function Moment({ at }: { at: string | null | undefined }) {
  if (!at) return <span class="none">–</span>;
  const date = new Date(at);
  const isToday = day.format(date) === day.format(new Date());
  return (
    <time dateTime={at}>{isToday ? `today, ${clock.format(date)}` : `${day.format(date)}, ${clock.format(date)}`}</time>
  );
}

/** How long ago an instant was, in the largest whole unit. */
export function ago(at: string): string {
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(at)) / 60_000));
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ago`;
  return `${Math.floor(hours / 24)} days ago`;
}

const DEVANAGARI = /\p{Script=Devanagari}/u;

/** Words of people: isolated from the direction of the text around them, in the font of their script. */
export function Text({ children, none = "–" }: { children: string | null | undefined; none?: string }) {
  if (!children) return <span class="none">{none}</span>;
  return <bdi lang={DEVANAGARI.test(children) ? "ne" : undefined}>{children}</bdi>;
}

const MARKS: Record<string, { text: string; tone: string }> = {
  ACTIVE: { text: "Active", tone: "good" },
  INACTIVE: { text: "Inactive", tone: "muted" },
  BANNED: { text: "Banned", tone: "bad" },
  APPROVED: { text: "Approved", tone: "good" },
  PENDING: { text: "Waiting", tone: "warn" },
  REJECTED: { text: "Rejected", tone: "bad" },
  NOT_SUBMITTED: { text: "No documents", tone: "muted" },
  user: { text: "User", tone: "muted" },
  staff: { text: "Staff", tone: "info" },
  admin: { text: "Admin", tone: "info" },
  WAITING: { text: "Waiting", tone: "warn" },
  REPLAYED: { text: "Replayed", tone: "good" },
  DISCARDED: { text: "Discarded", tone: "muted" },
};

/** A status as a word with a colour; the word alone carries the meaning. */
export function Mark({ of }: { of: string }) {
  const { text, tone } = MARKS[of] ?? { text: of, tone: "muted" };
  return <span class={`mark ${tone}`}>{text}</span>;
}

/** Words for a code or a field name, such as `OTP_PHONE` or `total_rentals`. */
export function plain(code: string): string {
  const words = code.toLowerCase().replaceAll(/[._]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Name and value of one fact. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
