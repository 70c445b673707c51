import type { Operation } from "../fuzz/operations.ts";
import type { OpenApiDocument } from "../support/openapi.ts";
import type { OperationOf } from "./measure.ts";

/** Outcomes that no case provokes, and why: a status, or one status of an operation. */
export const UNPROVOKED: Readonly<Record<string, string>> = {
  500: "a fault of the Worker's own code: no request leads to it",
  ...Object.fromEntries(
    ["GET", "GET sessions", "DELETE sessions", "POST analytics-report", "GET analytics-report"].map((call) => {
      const [method, part] = call.split(" ");
      const operation = `${method} /api/users/{id}${part ? `/${part}` : ""}`;
      return [`${operation} 400`, "the id is all that is sent, and one that is none is answered with 404"];
    }),
  ),
  "GET /api/auth/google/callback 400": "a callback tells every failure by where it sends the browser: 303",
};

/** Every outcome that the document names, `METHOD /path status`, with the codes that its answer may carry. */
export function outcomesOf(document: OpenApiDocument): { outcome: string; codes: string[] }[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, { responses }]) =>
      Object.entries(responses)
        .map(([status, { content }]) => ({
          outcome: `${method.toUpperCase()} ${path} ${status}`,
          codes: codesIn(content?.["application/json"]?.schema),
        }))
        .filter(({ outcome }) => !(outcome in UNPROVOKED || (outcome.split(" ").at(-1) ?? "") in UNPROVOKED)),
    ),
  );
}

function codesIn(schema: unknown): string[] {
  const failure = schema as { properties?: { error?: { properties?: { code?: { enum?: string[] } } } } } | undefined;
  return failure?.properties?.error?.properties?.code?.enum ?? [];
}

/** Finds the operation that a path belongs to; a path that the document does not know stays as it is. */
export function operationFinder(operations: readonly Operation[]): OperationOf {
  const known = operations.map(({ method, path, name }) => {
    const pattern = path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+");
    return { name, pattern: new RegExp(`^${method} ${pattern}$`), isExact: !path.includes("{") };
  });
  return (method, path) => {
    const call = `${method === "HEAD" ? "GET" : method} ${path.split("?")[0]}`;
    const fitting = known.filter(({ pattern }) => pattern.test(call));
    return (fitting.find(({ isExact }) => isExact) ?? fitting[0])?.name ?? call;
  };
}
