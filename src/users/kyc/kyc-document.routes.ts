import { z } from "zod";
import { readClient } from "../../platform/http/client.ts";
import { BINARY, EVERY_ROUTE } from "../../platform/openapi/operation.ts";
import { linkEndpoint } from "./kyc-document.guard.ts";
import { openDocument } from "./kyc-document.service.ts";

/** The browser displays images; it downloads other files. */
const SHOWN = /^image\//;

/** Serves KYC files to holders of a signed link; no access token is needed. */
export const getKycDocument = linkEndpoint(
  {
    method: "get",
    path: "/api/users/kyc/documents/{id}",
    home: ({ documentId }) => ({ issued: documentId }),
    describe: () => ({
      operationId: "downloadKycDocument",
      tag: "KYC",
      summary: "Download a KYC document",
      description:
        "Use the links from a KYC response. Each GET is recorded as a view; HEAD returns only the headers and is not.",
      params: z.object({ id: z.string().meta({ description: "Id of the file." }) }),
      query: z.object({
        exp: z.string().meta({ description: "When the link expires, in seconds since the epoch; part of the link." }),
        sig: z.string().meta({ description: "The link's signature." }),
      }),
      responses: {
        200: {
          description: "The file.",
          content: { "image/jpeg": BINARY, "image/png": BINARY, "image/webp": BINARY, "application/pdf": BINARY },
        },
      },
      errors: ["not_found", "rate_limit_exceeded", ...EVERY_ROUTE],
    }),
  },
  async (c, link) => {
    const isHead = c.req.method === "HEAD";
    const found = await openDocument(c.get("deps"), readClient(c, false), link, isHead);
    const disposition = SHOWN.test(found.contentType) ? "inline" : 'attachment; filename="document.pdf"';
    const headers = {
      "Content-Type": found.contentType,
      "Content-Length": String(found.sizeBytes),
      "Content-Disposition": disposition,
      "Content-Security-Policy": "default-src 'none'; sandbox",
      // A dashboard on another origin displays the file in an <img>; access still requires the link.
      "Cross-Origin-Resource-Policy": "cross-origin",
    };
    return found.body ? c.body(found.body, 200, headers) : c.body(null, 200, headers);
  },
);
