import { z } from "zod";
import { EVERY_ROUTE, envelopeOf } from "../openapi/operation.ts";
import { publicRawEndpoint, successBody } from "./raw-endpoint.ts";

const REDACTED = /auth|cookie|credential|token|secret|key|password|jwt|assertion|signature|session/i;

const debugAnswer = envelopeOf(
  z.object({
    headers: z.record(z.string(), z.string()),
    is_secure: z.boolean(),
    scheme: z.string(),
    host: z.string(),
  }),
);

/** Echoes the request as the Worker received it, with credentials redacted. */
export const getDebugHeaders = publicRawEndpoint(
  {
    method: "get",
    path: "/api/auth/debug/headers",
    home: "none",
    describe: () => ({
      operationId: "echoRequest",
      tag: "Platform",
      summary: "Echo the request (development only)",
      description: "Returns the request as the Worker received it.",
      responses: {
        200: {
          description: "The request as received, with credentials and cookies redacted.",
          content: { "application/json": debugAnswer },
        },
      },
      errors: ["not_found", ...EVERY_ROUTE],
    }),
  },
  (c) => {
    const url = new URL(c.req.url);
    const headers = Object.fromEntries(
      Object.entries(c.req.header()).map(([name, value]) => [name, REDACTED.test(name) ? "[redacted]" : value]),
    );
    const scheme = url.protocol.slice(0, -1);
    const data = { headers, is_secure: scheme === "https", scheme, host: url.host };
    return c.json(successBody(c, { en: "Request received.", ne: "अनुरोध प्राप्त भयो।" }, data));
  },
);
