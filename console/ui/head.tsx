import type { ComponentChildren } from "preact";
import { useTitle } from "./router.tsx";

interface HeadProps {
  /** Heading of the screen and title of the document. */
  title: string;
  /** Loads the screen again; shown as a button. */
  again?: () => void;
  /** What else stands beside the heading. */
  children?: ComponentChildren;
}

/** The head of a screen. */
export function Head({ title, again, children }: HeadProps) {
  useTitle(title);
  return (
    <div class="row apart">
      <h1 tabIndex={-1}>{title}</h1>
      {again && (
        <button type="button" onClick={again}>
          Reload
        </button>
      )}
      {children}
    </div>
  );
}
