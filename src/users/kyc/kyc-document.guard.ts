import type { Guard } from "../../platform/http/endpoint.ts";
import { readQuery, textsOf } from "../../platform/http/endpoint-body.ts";
import { rawEndpointFor } from "../../platform/http/raw-endpoint.ts";
import { type DocumentLink, verifyLink } from "./kyc-document.service.ts";

/** Declares a route for a caller with a signed link. */
export const linkEndpoint = rawEndpointFor<DocumentLink>();

/**
 * A signed link to a document, checked without I/O, in place of a token. The viewer's session and role are checked in
 * SQL.
 */
export const documentLink: Guard<DocumentLink> = {
  name: "documentLink",
  security: undefined,
  errors: ["not_found"],
  authorize(deps, c) {
    const { exp, sig } = textsOf(readQuery(c.req));
    return verifyLink(deps, c.req.param("id") ?? "", { exp, sig });
  },
};
