import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import { Refused } from "./resource.tsx";

interface DialogProps {
  title: string;
  children: ComponentChildren;
  onClose: () => void;
  wide?: boolean;
}

/** A modal dialog. Escape and the close button close it; however it ends, the focus goes back to what opened it. */
export function Dialog({ title, children, onClose, wide }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  // One dialog may open another.
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    dialog?.showModal();
    // The browser does not restore the focus when an open dialog is removed from the page.
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog ref={element} class={wide ? "wide" : undefined} aria-labelledby={id} onClose={onClose}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="icon" aria-label="Close" onClick={() => element.current?.close()}>
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="m3.5 3.5 9 9m0-9-9 9" />
          </svg>
        </button>
      </header>
      {children}
    </dialog>
  );
}

interface ActProps {
  title: string;
  /** What will happen, in one or two sentences. */
  children?: ComponentChildren;
  /** Text of the button that does it. */
  verb: string;
  danger?: boolean;
  /** Whether a reason is asked for. It is required unless it is `optional`. */
  reason?: "required" | "optional";
  /** Fields besides the reason. */
  fields?: ComponentChildren;
  run: (reason: string, form: FormData) => Promise<unknown>;
  onClose: () => void;
}

const MAX_REASON = 255;

/** An act on an account: a dialog that says what will happen, with a reason for the audit log. */
export function Act({ title, children, verb, danger, reason, fields, run, onClose }: ActProps) {
  const [isRunning, setRunning] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  // If this dialog was closed while the act ran, another one may be open now, which must stay.
  const isOpen = useRef(true);
  useEffect(
    () => () => {
      isOpen.current = false;
    },
    [],
  );
  const submit = async (event: SubmitEvent & { currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    if (isRunning) return;
    const form = new FormData(event.currentTarget);
    setRunning(true);
    try {
      await run(String(form.get("reason") ?? "").trim(), form);
      if (isOpen.current) onClose();
    } catch (error) {
      setRefusal(asRefusal(error));
      setRunning(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children && <div class="lead">{children}</div>}
        {fields}
        {reason && (
          <label>
            Reason {reason === "optional" && <small>optional</small>}
            <textarea name="reason" rows={3} maxLength={MAX_REASON} required={reason === "required"} autofocus />
            <small>Kept in the audit log for a year. Colleagues can read it.</small>
          </label>
        )}
        {refusal && <Refused refusal={refusal} />}
        <footer>
          <button type="button" onClick={(event) => event.currentTarget.closest("dialog")?.close()}>
            Cancel
          </button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={isRunning}>
            {isRunning ? "Please wait…" : verb}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
