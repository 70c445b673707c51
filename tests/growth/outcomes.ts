import type { Operation } from "../fuzz/operations.ts";
import type { OpenApiDocument } from "../support/openapi.ts";
import type { OperationOf } from "./measure.ts";

/** Outcomes that no case produces, and why: a status, or one status of an operation. */
export const UNPROVOKED: Readonly<Record<string, string>> = {
  500: "no request causes a failure of the Worker's own code",
  405: "the router answers it before anything is read",
  ...Object.fromEntries(
    ["GET sessions", "GET access", "GET kyc", "DELETE sessions", "POST analytics-report", "GET analytics-report"].map(
      (call) => {
        const [method, part] = call.split(" ");
        const operation = `${method} /api/users/{id}${part ? `/${part}` : ""}`;
        return [`${operation} 400`, "the id is the only input, and an invalid id gets 404"];
      },
    ),
  ),
  "DELETE /api/auth/passkeys/{id} 400": "the id is the only input, and an invalid id gets 404",
  "GET /api/auth/google/callback 400": "a callback reports failures by redirecting the browser (303)",
};

/** All outcomes that the document names, `METHOD /path status`, with the possible error codes. */
export function outcomesOf(document: OpenApiDocument): { outcome: string; codes: string[] }[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, { responses }]) =>
      Object.entries(responses)
        .map(([status, response]) => ({
          outcome: `${method.toUpperCase()} ${path} ${status}`,
          codes: response["x-error-codes"] ?? [],
        }))
        .filter(({ outcome }) => !(outcome in UNPROVOKED || (outcome.split(" ").at(-1) ?? "") in UNPROVOKED)),
    ),
  );
}

/** Finds the operation of a path; unknown paths are returned unchanged. */
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
