import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

const BASE = "/console";

/** Where the page is. */
export interface Place {
  /** The path below /console. */
  path: string;
  query: URLSearchParams;
  /** The search text. It may be personal data, so it is kept in the history entry and never in the address. */
  search: string;
}

const here = (): Place => ({
  path: location.pathname.slice(BASE.length).replace(/\/$/, "") || "/",
  query: new URLSearchParams(location.search),
  search: (history.state as { search?: string } | null)?.search ?? "",
});

const listeners = new Set<() => void>();
const tell = () => {
  for (const listen of listeners) listen();
};
addEventListener("popstate", tell);

/** Goes to another screen; `replace` leaves no entry in the history. */
export function go(to: string, replace = false): void {
  const url = BASE + (to === "/" ? "" : to);
  if (replace) history.replaceState(history.state, "", url);
  else history.pushState(null, "", url);
  tell();
}

/** Changes the search text of the present entry of the history. */
export function setSearch(search: string): void {
  history.replaceState({ search }, "");
  tell();
}

/** The place, which renders the component again whenever it changes. */
export function usePlace(): Place {
  const [place, update] = useState(here);
  useLayoutEffect(() => {
    const listen = () => update(here());
    listeners.add(listen);
    return () => void listeners.delete(listen);
  }, []);
  return place;
}

interface LinkProps {
  to: string;
  children: ComponentChildren;
  class?: string;
  current?: boolean;
}

/** A link to another screen, with an address of its own: it opens in a new tab like any link. */
export function Link({ to, children, current, class: className }: LinkProps) {
  return (
    <a
      href={BASE + (to === "/" ? "" : to)}
      class={className}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

/** Sets the title of the document, and moves the focus to the heading when the screen changes, for screen readers. */
export function useTitle(title: string, moveFocus = true): void {
  useEffect(() => {
    document.title = `${title} · Staff console`;
  }, [title]);
  useEffect(() => {
    if (moveFocus) document.querySelector("h1")?.focus({ preventScroll: true });
  }, []);
}
