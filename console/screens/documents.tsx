import { useRef, useState } from "preact/hooks";
import { useKeys } from "../ui/keys.ts";
import { larger, Pdf, Picture, type Pose, smaller, turned, WHOLE } from "../ui/picture.tsx";
import type { Data } from "./case.tsx";

type Side = "front" | "back";

interface DocumentsProps {
  data: Data;
  onSeen: (side: Side) => void;
  /** Loads the case again, for new links. */
  renew: () => void;
}

/** The pictures of the document, one side or both, with the tools to look closely. */
export function Documents({ data, onSeen, renew }: DocumentsProps) {
  const sides: Side[] = data.document_back_url ? ["front", "back"] : ["front"];
  const [shown, setShown] = useState<Side | "both">("front");
  const [poses, setPoses] = useState<Record<Side, Pose>>({ front: WHOLE, back: WHOLE });
  const visible = sides.filter((side) => shown === "both" || shown === side);
  const change = (to: (pose: Pose) => Pose) =>
    setPoses((before) => ({ ...before, ...Object.fromEntries(visible.map((side) => [side, to(before[side])])) }));
  const whole = () => change(({ turns }) => ({ turns, zoom: 1 }));
  const show = (side: Side | "both") => (side === "front" || sides.length === 2) && setShown(side);

  useKeys({
    1: () => show("front"),
    2: () => show("back"),
    3: () => show("both"),
    r: () => change(turned),
    "+": () => change(larger),
    "=": () => change(larger),
    "-": () => change(smaller),
    0: whole,
  });

  // Links expire after five minutes. Loading the case again renews them; a second failure in a row is shown.
  const hasRenewed = useRef(false);
  const [isBroken, setBroken] = useState(false);
  const fail = () => {
    if (hasRenewed.current) return setBroken(true);
    hasRenewed.current = true;
    renew();
  };

  const choices = sides.length === 2 ? (["front", "back", "both"] as const) : (["front"] as const);
  return (
    <section class="documents" aria-label="Document">
      <div class="row apart no-print" role="toolbar" aria-label="Pictures">
        <div class="row">
          {choices.map((side, i) => (
            <button key={side} type="button" aria-pressed={shown === side} onClick={() => setShown(side)}>
              {side === "front" ? "Front" : side === "back" ? "Back" : "Both"} <kbd>{i + 1}</kbd>
            </button>
          ))}
          {sides.length === 1 && <span class="small">There is no back.</span>}
        </div>
        <div class="row">
          <button type="button" onClick={() => change(turned)}>
            Turn <kbd>R</kbd>
          </button>
          <button type="button" aria-label="Larger" onClick={() => change(larger)}>
            <kbd>+</kbd>
          </button>
          <button type="button" aria-label="Smaller" onClick={() => change(smaller)}>
            <kbd>−</kbd>
          </button>
          <button type="button" onClick={whole}>
            Whole <kbd>0</kbd>
          </button>
        </div>
      </div>
      {isBroken && (
        <p class="refused" role="alert">
          A file cannot be shown. Load the page again; if that does not help, ask the person to send it anew.
        </p>
      )}
      <div class={`sides ${shown === "both" ? "both" : ""}`}>
        {visible.map((side) => {
          const url = side === "front" ? data.document_front_url : data.document_back_url;
          const type = side === "front" ? data.front_type : data.back_type;
          if (!url) return null;
          const alt = `${side === "front" ? "Front" : "Back"} of the document`;
          const seen = () => {
            hasRenewed.current = false;
            onSeen(side);
          };
          return type === "application/pdf" ? (
            <Pdf key={side} url={url} alt={alt} onSeen={seen} onFailed={fail} />
          ) : (
            <Picture key={side} url={url} alt={alt} pose={poses[side]} onSeen={seen} onFailed={fail} />
          );
        })}
      </div>
    </section>
  );
}
