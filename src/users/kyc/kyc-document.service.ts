import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { readObject } from "./kyc-bucket.store.ts";
import { findDocument, viewDocument } from "./kyc-document.store.ts";
import { readLink } from "./kyc-link.ts";

/** A document to respond with. */
export interface OpenedDocument {
  contentType: string;
  sizeBytes: number;
  /** Null if only the headers were requested. */
  body: ReadableStream | null;
}

/** A link whose signature is valid: the document, and the session that asked for the link. */
export interface DocumentLink {
  documentId: string;
  viewer: AccessClaims;
}

/**
 * Checks a link's signature and expiry, without I/O.
 *
 * @throws AppError `not_found` for any problem with the link. A link is not a sign-in, so the status is never 401, and
 *   a caller with an invalid link cannot tell which documents exist.
 */
export async function verifyLink(
  deps: Deps,
  documentId: string,
  link: { exp: string | undefined; sig: string | undefined },
): Promise<DocumentLink> {
  const viewer = await readLink(deps, documentId, link);
  if (!viewer) throw notFound("link");
  return { documentId, viewer };
}

/**
 * Returns the file behind a link and records the view. A request for only the headers is not recorded.
 *
 * @throws AppError `not_found` if the viewer's session has ended, the viewer may not see the document, or it no longer
 *   exists; `rate_limit_exceeded` if the viewer is staff and has seen too much within an hour.
 */
export async function openDocument(
  deps: Deps,
  client: Pick<Client, "ip" | "userAgent">,
  { documentId, viewer }: DocumentLink,
  headersOnly: boolean,
): Promise<OpenedDocument> {
  const found = headersOnly
    ? await findDocument(deps, viewer, documentId)
    : await viewDocument(deps, client, viewer, documentId);
  if (!found) throw notFound("session, role or document");
  const { objectKey, contentType, sizeBytes } = found;
  if (headersOnly) return { contentType, sizeBytes, body: null };
  const body = await readObject(deps, objectKey);
  // The document was replaced after the row was read.
  if (!body) throw notFound("object");
  return { contentType, sizeBytes, body };
}

function notFound(reason: string): AppError {
  return new AppError("not_found", {
    message: {
      en: "This link has expired. Load the documents again.",
      ne: "यो लिङ्कको म्याद सकियो। कागजात फेरि खोल्नुहोस्।",
    },
    reason,
  });
}
