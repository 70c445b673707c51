import type { DatabaseSync } from "node:sqlite";
import { openBucket } from "../operations/bucket.ts";
import { drawCard } from "./drawing.ts";

/** Submissions of each status that get a picture: those that the review shows first. */
const SHOWN_FIRST = 300;

interface Document {
  id: string;
  object_key: string;
}

/**
 * Puts small pictures into the local bucket as the documents of the submissions that the review shows first, so that a
 * review can be tried.
 *
 * @param database the primary database.
 * @returns the number of pictures.
 */
export async function putPictures(database: DatabaseSync, state: string): Promise<number> {
  const documents = ["PENDING", "APPROVED", "REJECTED"].flatMap((status) => {
    const first = `select kyc_documents.id, object_key from kyc join kyc_documents on kyc_documents.id = front_document_id
      where kyc.status = ? order by kyc.submitted_at, kyc.user_id limit ${SHOWN_FIRST}`;
    return database.prepare(first).all(status) as unknown as Document[];
  });
  const describe = database.prepare("update kyc_documents set content_type = 'image/png', size_bytes = ? where id = ?");
  const { bucket, close } = await openBucket({ remote: false, state });
  try {
    for (const [i, { id, object_key: key }] of documents.entries()) {
      if (await bucket.head(key)) continue;
      const picture = drawCard(i);
      await bucket.put(key, picture, { httpMetadata: { contentType: "image/png" } });
      describe.run(picture.length, id);
    }
  } finally {
    await close();
  }
  return documents.length;
}
