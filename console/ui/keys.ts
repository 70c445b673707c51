import { useEffect, useRef } from "preact/hooks";

/** Whether single letters act; they can be switched off (WCAG 2.1.4). Kept in this browser. */
export const areKeysOn = () => localStorage.getItem("console-keys") !== "off";

/** Switches the single letters on or off, in this browser. */
export function switchKeys(on: boolean): void {
  if (on) localStorage.removeItem("console-keys");
  else localStorage.setItem("console-keys", "off");
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

/** Acts on single keys, outside of text fields and dialogs. Letters act in either case. */
export function useKeys(acts: Readonly<Record<string, () => void>>): void {
  const current = useRef(acts);
  current.current = acts;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !areKeysOn()) return;
      if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
      const act = current.current[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}
