import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** How a picture is shown: quarter turns clockwise, and enlargement of the size that fits. */
export interface Pose {
  turns: number;
  zoom: number;
}

const STEP = 1.4;
const MAX_ZOOM = 8;

export const WHOLE: Pose = { turns: 0, zoom: 1 };
export const turned = ({ turns }: Pose): Pose => ({ turns: (turns + 1) % 4, zoom: 1 });
export const larger = ({ turns, zoom }: Pose): Pose => ({ turns, zoom: Math.min(MAX_ZOOM, zoom * STEP) });
export const smaller = ({ turns, zoom }: Pose): Pose => ({ turns, zoom: Math.max(1, zoom / STEP) });

interface PictureProps {
  url: string;
  /** Text for those who cannot see it. */
  alt: string;
  pose: Pose;
  onSeen: () => void;
  /** The link has expired, or the file cannot be shown. */
  onFailed: () => void;
}

/** A picture that fits its box, can be turned and enlarged about its centre, and moves when it is dragged. */
export function Picture({ url, alt, pose, onSeen, onFailed }: PictureProps) {
  const box = useRef<HTMLElement>(null);
  const [natural, setNatural] = useState<{ width: number; height: number }>();
  const [room, setRoom] = useState({ width: 1, height: 1 });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setRoom({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const isUpright = pose.turns % 2 === 0;
  const { width = 1, height = 1 } = natural ?? {};
  const [across, down] = isUpright ? [width, height] : [height, width];
  const scale = Math.min(room.width / across, room.height / down) * pose.zoom;

  // The point in the middle of the box stays there when the scale changes.
  const before = useRef({ scale: 1, turns: 0 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element && before.current.turns === pose.turns) {
      const ratio = scale / before.current.scale;
      const [x, y] = [element.clientWidth / 2, element.clientHeight / 2];
      element.scrollLeft = (element.scrollLeft + x) * ratio - x;
      element.scrollTop = (element.scrollTop + y) * ratio - y;
    }
    before.current = { scale, turns: pose.turns };
  }, [scale, pose.turns]);

  const drag = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    const element = event.currentTarget;
    if (event.button !== 0 || event.pointerType === "touch") return;
    event.preventDefault();
    element.focus();
    element.setPointerCapture(event.pointerId);
    const move = (moved: PointerEvent) => element.scrollBy(-moved.movementX, -moved.movementY);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", () => element.removeEventListener("pointermove", move), { once: true });
  };

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll an enlarged picture
    <section ref={box} class="picture" tabIndex={0} aria-label={alt} onPointerDown={drag}>
      <div class="paper" style={{ width: `${across * scale}px`, height: `${down * scale}px` }}>
        <img
          key={url}
          src={url}
          alt={alt}
          draggable={false}
          style={{
            width: `${width * scale}px`,
            height: `${height * scale}px`,
            visibility: natural ? "visible" : "hidden",
            transform: `translate(-50%, -50%) rotate(${pose.turns * 90}deg)`,
          }}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => {
            setNatural({ width: naturalWidth, height: naturalHeight });
            onSeen();
          }}
          onError={onFailed}
        />
      </div>
    </section>
  );
}

/** A PDF in the browser's viewer. The type is set here, so the bytes never open as a page of this origin. */
export function Pdf({ url, alt, onSeen, onFailed }: Omit<PictureProps, "pose">) {
  const [source, setSource] = useState<string>();
  useEffect(() => {
    let made: string | undefined;
    let isGone = false;
    fetch(url)
      .then(async (response) => {
        if (!response.ok) throw new Error(String(response.status));
        const bytes = await response.arrayBuffer();
        if (isGone) return;
        made = URL.createObjectURL(new Blob([bytes], { type: "application/pdf" }));
        setSource(made);
        onSeen();
      })
      .catch(() => !isGone && onFailed());
    return () => {
      isGone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [url]);
  if (!source) return <p class="loading">Loading…</p>;
  return <iframe class="picture" title={alt} src={source} />;
}
