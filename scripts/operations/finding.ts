/** A missing or weak setting. */
export interface Finding {
  /** An error prevents a deployment; a warning leaves the decision to the deployer. */
  level: "error" | "warning";
  /** Kinds that a deployment handles specially. */
  kind?: "zero-id" | "placeholder" | "no-provider";
  what: string;
  why: string;
  todo: string;
}

export const error = (what: string, why: string, todo: string, kind?: Finding["kind"]): Finding => ({
  level: "error",
  what,
  why,
  todo,
  ...(kind ? { kind } : {}),
});

export const warning = (what: string, why: string, todo: string, kind?: Finding["kind"]): Finding => ({
  ...error(what, why, todo, kind),
  level: "warning",
});

/** One line: what, why, and what to do. */
export function formatFinding({ level, what, why, todo }: Finding): string {
  return `${level === "error" ? "✗" : "!"} ${what}: ${why}. ${todo}.`;
}
