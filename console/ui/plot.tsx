import { number } from "./words.tsx";

/** One line of a plot. */
export interface Line {
  name: string;
  /** A number for each day. */
  values: readonly number[];
}

interface PlotProps {
  title: string;
  days: readonly string[];
  lines: readonly Line[];
  /** What a reader should know about the figures. */
  note?: string;
}

const [WIDTH, HEIGHT] = [300, 100];
const STYLES = ["series-1", "series-2", "series-3", "series-4"];

/** The least round number that is not below the value: 1, 2 or 5 times a power of ten. */
function roof(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= value) ?? value;
}

const shortDay = (day: string) =>
  new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(day));

/** Daily figures as lines, which also differ in pattern, and as a table. Today's figures are incomplete. */
export function Plot({ title, days, lines, note }: PlotProps) {
  const top = roof(Math.max(1, ...lines.flatMap(({ values }) => values)));
  const last = days.length - 1;
  const x = (i: number) => (last === 0 ? WIDTH : (i / last) * WIDTH);
  const y = (value: number) => HEIGHT - (value / top) * HEIGHT;
  const path = (values: readonly number[], from: number, to: number) =>
    values
      .slice(from, to + 1)
      .map((value, i) => `${i === 0 ? "M" : "L"}${x(from + i).toFixed(1)} ${y(value).toFixed(1)}`)
      .join("");
  const id = title.toLowerCase().replaceAll(/\W+/g, "-");
  return (
    <section class="card plot" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <ul class="legend">
        {lines.map(({ name, values }, i) => (
          <li key={name}>
            <svg viewBox="0 0 24 8" aria-hidden="true">
              <path class={`line ${STYLES[i]}`} d="M1 4h22" />
            </svg>
            {name} <strong>{number(values[last] ?? 0)}</strong>{" "}
            <small>today, most {number(Math.max(0, ...values))}</small>
          </li>
        ))}
      </ul>
      <div class="chart" aria-hidden="true">
        <span>{number(top)}</span>
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          <path class="rule" d={`M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`} />
          {lines.length === 1 && lines[0] && (
            <path class="fill" d={`${path(lines[0].values, 0, last)}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
          )}
          {lines.map(({ name, values }, i) => (
            <g key={name}>
              <path class={`line ${STYLES[i]}`} d={path(values, 0, Math.max(0, last - 1))} />
              {last > 0 && <path class={`line open ${STYLES[i]}`} d={path(values, last - 1, last)} />}
            </g>
          ))}
        </svg>
        <p>
          <span>{shortDay(days[0] ?? "")}</span>
          <span>today, so far</span>
        </p>
      </div>
      {note && <p class="small">{note}</p>}
      <details>
        <summary>Figures</summary>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Day</th>
                {lines.map(({ name }) => (
                  <th scope="col" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {days.map((day, i) => (
                <tr key={day}>
                  <th scope="row">{day}</th>
                  {lines.map(({ name, values }) => (
                    <td key={name}>{number(values[i] ?? 0)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
