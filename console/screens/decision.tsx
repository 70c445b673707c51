import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type KycReasonCode, kycReasons } from "../../src/users/kyc/kyc-reasons.ts";
import { asRefusal, type Refusal } from "../api/refusal.ts";
import { Refused } from "../ui/resource.tsx";

/** What the reviewer is about to do. */
export type Mode = "approve" | "reject" | undefined;

interface DecisionProps {
  mode: Mode;
  setMode: (mode: Mode) => void;
  mayApprove: boolean;
  /** Every side of the document was shown. */
  isSeen: boolean;
  /** A second reviewer has to approve after this approval. */
  needsSecond: boolean;
  approve: () => Promise<void>;
  reject: (code: KycReasonCode | undefined, own: string) => Promise<void>;
}

const MAX_NOTE_LENGTH = 255;

/** The buttons to approve and to reject, each with a confirmation beside the documents. */
export function Decision({ mode, setMode, mayApprove, isSeen, needsSecond, approve, reject }: DecisionProps) {
  const [isRunning, setRunning] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const run = async (work: () => Promise<void>) => {
    if (isRunning) return;
    setRunning(true);
    setRefusal(undefined);
    await work().catch((error) => setRefusal(asRefusal(error)));
    setRunning(false);
  };
  // A request that is on its way cannot be called back, and its answer is shown here.
  const cancel = () => !isRunning && setMode(undefined);
  const cancelOnEscape = (event: KeyboardEvent) => event.key === "Escape" && cancel();
  return (
    <section class="card no-print" aria-label="Decision">
      {mode === undefined && (
        <div class="row">
          <button type="button" class="primary" disabled={!mayApprove} onClick={() => setMode("approve")}>
            Approve <kbd>A</kbd>
          </button>
          <button type="button" class="warn" onClick={() => setMode("reject")}>
            Reject <kbd>X</kbd>
          </button>
          {!isSeen && <span class="small">View every side of the document to be able to approve.</span>}
        </div>
      )}
      {mode === "approve" && (
        <form
          onKeyDown={cancelOnEscape}
          onSubmit={(event) => {
            event.preventDefault();
            void run(approve);
          }}
        >
          <p>
            <strong>Do the name, date of birth and number match the document?</strong>{" "}
            {needsSecond ? "A second reviewer has to approve next." : "The user will be notified."}
          </p>
          <Buttons verb="Approve" look="primary" keys="Enter" isRunning={isRunning} cancel={cancel} hasFocus />
        </form>
      )}
      {mode === "reject" && (
        <Reasons
          isRunning={isRunning}
          onKeyDown={cancelOnEscape}
          cancel={cancel}
          run={(code, own) => run(() => reject(code, own))}
        />
      )}
      {refusal && <Refused refusal={refusal} />}
    </section>
  );
}

interface ReasonsProps {
  isRunning: boolean;
  onKeyDown: (event: KeyboardEvent) => void;
  cancel: () => void;
  run: (code: KycReasonCode | undefined, own: string) => Promise<void>;
}

function Reasons({ isRunning, onKeyDown, cancel, run }: ReasonsProps) {
  const [code, setCode] = useState<KycReasonCode>();
  const [own, setOwn] = useState("");
  const first = useRef<HTMLInputElement>(null);
  // A layout effect, so that the focus is set before the next key, which may already choose a reason.
  useLayoutEffect(() => first.current?.focus(), []);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (code || own.trim()) void run(code, own.trim());
      }}
      onKeyDown={(event) => {
        onKeyDown(event);
        const isWriting = event.target instanceof HTMLTextAreaElement;
        if (event.key === "Enter") {
          // Browsers submit a form on Enter in a radio button, where the last key may have been a digit by mistake.
          if (event.target instanceof HTMLInputElement) event.preventDefault();
          if (event.ctrlKey || event.metaKey) event.currentTarget.requestSubmit();
        }
        const reason = isWriting ? undefined : kycReasons[Number(event.key) - 1];
        if (reason) setCode(reason.code);
      }}
    >
      <fieldset>
        <legend>Reason, shown to the user in their language</legend>
        {kycReasons.map((reason, i) => (
          <label class="check" key={reason.code}>
            <input
              ref={i === 0 ? first : undefined}
              type="radio"
              name="code"
              checked={code === reason.code}
              onChange={() => setCode(reason.code)}
            />
            <span>
              <kbd>{i + 1}</kbd> {reason.en}
            </span>
          </label>
        ))}
      </fieldset>
      <label>
        <span>
          Note to the user <small>optional; shown as it is written</small>
        </span>
        <textarea
          rows={2}
          maxLength={MAX_NOTE_LENGTH}
          value={own}
          onInput={(event) => setOwn(event.currentTarget.value)}
        />
      </label>
      <Buttons
        verb="Reject"
        look="danger"
        keys="Ctrl Enter"
        isRunning={isRunning}
        cancel={cancel}
        isOff={!code && !own.trim()}
      />
    </form>
  );
}

interface ButtonsProps {
  verb: string;
  look: string;
  keys: string;
  isRunning: boolean;
  isOff?: boolean;
  hasFocus?: boolean;
  cancel: () => void;
}

function Buttons({ verb, look, keys, isRunning, isOff = false, hasFocus = false, cancel }: ButtonsProps) {
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (hasFocus) button.current?.focus();
  }, []);
  return (
    <div class="row">
      <button ref={button} type="submit" class={look} disabled={isRunning || isOff}>
        {isRunning ? "Please wait…" : verb} <kbd>{keys}</kbd>
      </button>
      <button type="button" disabled={isRunning} onClick={cancel}>
        Cancel <kbd>Esc</kbd>
      </button>
    </div>
  );
}
