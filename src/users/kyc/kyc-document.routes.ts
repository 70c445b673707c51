import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { AppEnv } from "../../platform/http/app-env.ts";
import { readClient } from "../../platform/http/client.ts";
import { deferDescription, EVERY_ROUTE, failures } from "../../platform/http/openapi.ts";
import { openDocument } from "./kyc-document.service.ts";

/** Pictures are shown; anything else is only saved. */
const SHOWN = /^image\//;

/** Serves the files of a KYC by the links that its answers carry; the link is the only proof that is asked for. */
export function mountKycDocuments(app: OpenAPIHono<AppEnv>): void {
  const file = { schema: z.any().meta({ type: "string", format: "binary" }) };
  deferDescription(app, () => ({
    method: "get",
    path: "/api/users/kyc/documents/{id}",
    tags: ["KYC"],
    summary: "A document of a KYC, by its link",
    description:
      "The links stand in every KYC answer, live five minutes and die with the session that asked. Each read is on record. " +
      "HEAD answers the headings alone, and is no view.",
    request: {
      params: z.object({ id: z.string() }),
      query: z.object({ exp: z.string(), sig: z.string() }),
    },
    responses: {
      200: {
        description: "The file.",
        content: { "image/jpeg": file, "image/png": file, "image/webp": file, "application/pdf": file },
      },
      ...failures(["not_found", ...EVERY_ROUTE]),
    },
  }));
  app.get("/api/users/kyc/documents/:id", async (c) => {
    const link = { exp: c.req.query("exp"), sig: c.req.query("sig") };
    const isHead = c.req.method === "HEAD";
    const found = await openDocument(c.get("deps"), readClient(c, false), c.req.param("id"), link, isHead);
    const disposition = SHOWN.test(found.contentType) ? "inline" : 'attachment; filename="document.pdf"';
    const headers = {
      "Content-Type": found.contentType,
      "Content-Length": String(found.sizeBytes),
      "Content-Disposition": disposition,
      "Content-Security-Policy": "default-src 'none'; sandbox",
      // A dashboard of another origin shows it in an <img>; only the link opens it.
      "Cross-Origin-Resource-Policy": "cross-origin",
    };
    return found.body ? c.body(found.body, 200, headers) : c.body(null, 200, headers);
  });
}
