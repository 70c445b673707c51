const PATHS = {
  today: "M2.5 13.5h11M4 11V7.5m4 3.5V3m4 8V5.5",
  people:
    "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c.3-2.6 2-4 4.5-4s4.2 1.4 4.5 4M10.5 2.8a2.3 2.3 0 0 1 0 4.4m1.6 2.6c1.4.5 2.2 1.8 2.4 3.7",
  review: "M2.5 3.5h11v9h-11zM5 6.8h2.6v2.9H5zm5 .2h1.6M10 9.5h1.6",
  delivery: "m14 2-5.6 12-2-5.4L1 6.5z M14 2 6.4 8.6",
  letters: "M2 4h12v8.5H2zm0 .5 6 4.5 6-4.5",
  staff: "M8 1.8 13 4v3.6c0 3.2-2 5.4-5 6.6-3-1.2-5-3.4-5-6.6V4zM5.8 7.8l1.7 1.7 2.8-3.2",
  jobs: "M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4ZM8 4.5V8l2.4 1.6",
  search: "M7 11.8a4.8 4.8 0 1 0 0-9.6 4.8 4.8 0 0 0 0 9.6Zm3.5-1.3 3.7 3.7",
  warn: "M8 2 14.5 13.5h-13zM8 6.2v3.6m0 1.7v.3",
} as const;

export type IconName = keyof typeof PATHS;

/** A small drawing beside a word; it carries no meaning of its own. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
