/** Something in a configuration that is missing or weak. */
export interface Finding {
  /** An error makes it unfit; a warning is for the deployer to judge. */
  level: "error" | "warning";
  /** The kinds that a deployment treats in a way of its own. */
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
