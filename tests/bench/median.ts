/** The median: the middle number, or the mean of the two middle numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new Error("no numbers, no median");
  return (low + high) / 2;
}

/** The mean. It, not the median, is the cost of a call, because garbage is collected in some turns only. */
export function mean(numbers: readonly number[]): number {
  if (numbers.length === 0) throw new Error("no numbers, no mean");
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}
