/** The keys that act, as the page lists them. Each also has a button or a field. */
export const KEYS = [
  ["/", "Go to the search"],
  ["?", "Show this list"],
  ["J, K", "Review: next case, previous case"],
  ["1, 2, 3", "Review: front, back, both pictures"],
  ["R", "Review: turn the picture"],
  ["+, −, 0", "Review: larger, smaller, whole picture"],
  ["A", "Review: approve; Enter confirms"],
  ["X", "Review: reject; a digit chooses the reason, Ctrl Enter confirms"],
  ["U", "Review: take a decision back"],
] as const;
