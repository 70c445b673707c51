import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { readObject } from "./kyc-bucket.store.ts";
import { findDocument, viewDocument } from "./kyc-document.store.ts";
import { readLink } from "./kyc-link.ts";

export interface OpenedDocument {
  contentType: string;
  sizeBytes: number;
  /** Null where only the headings were asked for. */
  body: ReadableStream | null;
}

/**
 * The file behind a link, and the view on record. Asking for its headings alone is no view, since nobody saw anything.
 *
 * @throws AppError `not_found`, whatever is wrong with the link: it is no sign-in, so never 401, and who has a wrong one
 *   learns nothing of what there is.
 */
export async function openDocument(
  deps: Deps,
  client: Pick<Client, "ip" | "userAgent">,
  documentId: string,
  link: { exp: string | undefined; sig: string | undefined },
  headingsOnly: boolean,
): Promise<OpenedDocument> {
  const viewer = await readLink(deps, documentId, link);
  if (!viewer) throw notFound("link");
  const found = headingsOnly
    ? await findDocument(deps, viewer, documentId)
    : await viewDocument(deps, client, viewer, documentId);
  if (!found) throw notFound("session, role or document");
  const { objectKey, contentType, sizeBytes } = found;
  if (headingsOnly) return { contentType, sizeBytes, body: null };
  const body = await readObject(deps, objectKey);
  // It was replaced in this very moment.
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
