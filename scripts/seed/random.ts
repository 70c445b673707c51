/** Reproducible random values (sfc32) for a seed; not for secrets. */
export interface Draws {
  /** From 0 up to but not including 1. */
  fraction: () => number;
  /** An integer from 0 up to but not including `count`. */
  below: (count: number) => number;
  /** True with this probability. */
  chance: (probability: number) => boolean;
  oneOf: <T>(values: readonly [T, ...T[]]) => T;
  digits: (count: number) => string;
  bytes: (count: number) => Uint8Array;
}

export function drawsFrom(seed: number): Draws {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed | 0, 1];
  const next = () => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  // The first numbers depend too visibly on a small seed.
  for (let i = 0; i < 12; i++) next();
  const fraction = () => next() / 2 ** 32;
  const below = (count: number) => Math.floor(fraction() * count);
  return {
    fraction,
    below,
    chance: (probability) => fraction() < probability,
    oneOf: (values) => values[below(values.length)] ?? values[0],
    digits: (count) => String(below(10 ** count)).padStart(count, "0"),
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
  };
}
