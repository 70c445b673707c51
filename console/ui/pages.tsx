import { useRef, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import { Refused } from "./resource.tsx";

/** A page of a list: its rows, and where the next page begins; null after the last. It may be short, or empty. */
export interface PageOf<T> {
  results: readonly T[];
  next_cursor: string | null;
}

/**
 * Collects the rows of the first page and of those loaded since. A row that is on two pages, because others were
 * inserted before it, is shown once.
 *
 * @returns the rows; whether more may follow; `refused`, why the last page was not loaded; `button`, which loads the
 *   next page; `forget`, which drops all pages but the first.
 */
export function usePages<T extends { id: string }>(first: PageOf<T>, next: (cursor: string) => Promise<PageOf<T>>) {
  const [more, setMore] = useState<PageOf<T>>();
  const [refusal, setRefusal] = useState<Refusal>();
  // A second click must not ask for the same page.
  const isAsking = useRef(false);
  const cursor = more ? more.next_cursor : first.next_cursor;
  const rows = [...first.results, ...(more?.results ?? [])];
  const ask = async () => {
    if (cursor === null || isAsking.current) return;
    isAsking.current = true;
    setRefusal(undefined);
    try {
      const page = await next(cursor);
      setMore({ ...page, results: [...(more?.results ?? []), ...page.results] });
    } catch (error) {
      setRefusal(asRefusal(error));
    }
    isAsking.current = false;
  };
  return {
    results: [...new Map(rows.map((row) => [row.id, row])).values()],
    hasMore: cursor !== null,
    refused: refusal && <Refused refusal={refusal} again={ask} />,
    button: cursor !== null && (
      <button type="button" onClick={ask}>
        Show more
      </button>
    ),
    forget: () => setMore(undefined),
  };
}
