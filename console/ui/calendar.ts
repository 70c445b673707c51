import NepaliDate from "nepali-date-converter";

/** First and last day (AD) that the library converts correctly; outside, it silently returns wrong dates. */
const FIRST = "1943-04-14";
const LAST = "2034-04-13";

/** A day (AD, `YYYY-MM-DD`) in the Bikram Sambat calendar; undefined outside the range above. */
export function bs(day: string): string | undefined {
  if (day < FIRST || day > LAST) return undefined;
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new NepaliDate(new Date(year, month - 1, date)).format("YYYY-MM-DD");
}
