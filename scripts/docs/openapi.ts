import { routes } from "../../src/app.ts";
import { describedRoutes } from "../../src/platform/http/route.ts";
import { buildDocument } from "../../src/platform/openapi/document.ts";
import { userWebhooks } from "../../src/users/user-webhook.views.ts";

/** The settings of the committed document: those of development. */
const FACTS = { appName: "PowerBank", issuer: "http://localhost:8787", smsCountries: ["NP"] };

/** Depth at which the text of `openapi.json` goes on in one line: an operation, a schema. */
const DEEPEST_LINES = 3;

/** The text of `openapi.json`. */
export function openApiText(): string {
  return `${inLines(buildDocument(FACTS, describedRoutes(routes), userWebhooks), 0)}\n`;
}

/** JSON with a line for each operation and each schema, so that a diff shows what has changed and the file stays small. */
function inLines(value: unknown, depth: number): string {
  const isBranch = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isBranch || depth >= DEEPEST_LINES) return JSON.stringify(value);
  const pad = "  ".repeat(depth);
  const members = Object.entries(value).map(
    ([key, member]) => `${pad}  ${JSON.stringify(key)}: ${inLines(member, depth + 1)}`,
  );
  return `{\n${members.join(",\n")}\n${pad}}`;
}
