import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../api/refusal.ts";

/** What a screen loads: the last content stays while the next is on its way. */
export interface Resource<T> {
  data: T | undefined;
  /** The key that `data` was loaded for. */
  loadedKey: string | undefined;
  /** `data` belongs to another key than the present one. */
  isStale: boolean;
  refusal: Refusal | undefined;
  isLoading: boolean;
  reload: () => void;
  /** Replaces the content, after an act that returned it. */
  set: (data: T) => void;
}

/** Loads on the first render and whenever `key` changes. An answer that arrives after a newer request is dropped. */
export function useResource<T>(key: string, load: () => Promise<T>): Resource<T> {
  const [result, update] = useState<{ data?: T; key?: string; refusal?: Refusal; isLoading: boolean }>({
    isLoading: true,
  });
  const latest = useRef(0);
  const run = useCallback(() => {
    const own = ++latest.current;
    const isLatest = () => own === latest.current;
    update((before) => ({ ...before, isLoading: true }));
    load().then(
      (data) => isLatest() && update({ data, key, isLoading: false }),
      (error) => isLatest() && update((before) => ({ ...before, refusal: asRefusal(error), isLoading: false })),
    );
  }, [key]);
  useEffect(() => {
    run();
    return () => void latest.current++;
  }, [run]);
  const set = (data: T) => update({ data, key, isLoading: false });
  const { data, refusal, isLoading } = result;
  const isStale = data !== undefined && result.key !== key;
  return { data, loadedKey: result.key, isStale, refusal, isLoading, reload: run, set };
}

interface LoadedProps<T> {
  of: Resource<T>;
  /** Renders the content; `key` is the one that it was loaded for. */
  children: (data: T, key: string | undefined) => ComponentChildren;
}

/**
 * Shows a resource: a note while it first loads, its content, and a refusal with a button to retry. Content of another
 * key is inert, because its buttons would act on something that is not shown.
 */
export function Loaded<T>({ of, children }: LoadedProps<T>) {
  return (
    <>
      {of.refusal && <Refused refusal={of.refusal} again={of.reload} />}
      {of.data !== undefined && (
        <div class={of.isLoading ? "stack stale" : "stack"} aria-busy={of.isLoading} inert={of.isStale}>
          {children(of.data, of.loadedKey)}
        </div>
      )}
      {of.data === undefined && of.isLoading && (
        <p class="loading" role="status">
          Loading…
        </p>
      )}
    </>
  );
}

/** Says why something did not work, and what to do next. */
export function Refused({ refusal, again }: { refusal: Refusal; again?: () => void }) {
  const field = Object.entries(refusal.fields)[0];
  return (
    <div class="refused" role="alert">
      <p>{refusal.message}</p>
      {field && (
        <p>
          {field[0].replaceAll("_", " ")}: {field[1].join(" ")}
        </p>
      )}
      <div class="row">
        {again && (
          <button type="button" onClick={again}>
            Try again
          </button>
        )}
        {refusal.requestId && <small>Request {refusal.requestId}</small>}
      </div>
    </div>
  );
}
