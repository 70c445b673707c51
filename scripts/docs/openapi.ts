import { routes } from "../../src/app.ts";
import { describedRoutes } from "../../src/platform/http/route.ts";
import { buildDocument } from "../../src/platform/openapi/document.ts";
import { userWebhooks } from "../../src/users/user-webhook.views.ts";
import { inLines } from "./lines.ts";

/** The settings of the committed document: those of development. */
const FACTS = { appName: "PowerBank", issuer: "http://localhost:8787", smsCountries: ["NP"] };

/** A line for each operation and each schema. */
const LEVELS = 3;

/** The document as it is committed. */
export const openApiDocument = () => buildDocument(FACTS, describedRoutes(routes), userWebhooks);

/** The text of `openapi.json`. */
export function openApiText(): string {
  return `${inLines(openApiDocument(), { levels: LEVELS, isFlat: true })}\n`;
}
