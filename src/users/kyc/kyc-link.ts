import { base64url } from "jose";
import { z } from "zod";
import { currentSecret } from "../../platform/config/keyring.ts";
import { open, seal } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";

/** Life of a link to a document, in seconds. */
const LINK_TTL_SECONDS = 300;
/** Longer signatures are not ours, and are refused before any work is spent on them. */
const MAX_SIGNATURE_LENGTH = 400;

const viewerSchema = z.tuple([z.string(), z.string()]);

/**
 * An absolute link by which this viewer's session, and no other, sees the document for five minutes. `sig` is the viewer
 * sealed with AES-GCM over document and expiry: 128 bits of authentication, and it tells nobody who the viewer is.
 *
 * @param origin where the viewer's own call came to, so that the link leads there again.
 */
export async function linkToDocument(
  deps: Pick<Deps, "keyring" | "randomBytes" | "now">,
  origin: string,
  viewer: AccessClaims,
  documentId: string,
): Promise<string> {
  const exp = String(Math.floor(deps.now() / 1000) + LINK_TTL_SECONDS);
  const key = currentSecret(deps.keyring).documentLink;
  const content = JSON.stringify([viewer.userId, viewer.sessionId]);
  const sig = await seal(key, deps.randomBytes, content, contextOf(documentId, exp));
  return `${origin}/api/users/kyc/documents/${documentId}?exp=${exp}&sig=${sig}`;
}

/** The viewer whose link this is; undefined when it was altered, is not ours, or its time is over. No I/O. */
export async function readLink(
  deps: Pick<Deps, "keyring" | "now">,
  documentId: string,
  { exp, sig }: { exp: string | undefined; sig: string | undefined },
): Promise<AccessClaims | undefined> {
  if (!exp || !/^\d{1,12}$/.test(exp) || Number(exp) * 1000 <= deps.now()) return undefined;
  if (!sig || sig.length > MAX_SIGNATURE_LENGTH || !isCanonical(sig)) return undefined;
  for (const { documentLink } of deps.keyring.secrets.values()) {
    const content = await open(documentLink, sig, contextOf(documentId, exp)).catch(() => undefined);
    if (content === undefined) continue;
    const [userId, sessionId] = viewerSchema.parse(JSON.parse(content));
    return { userId, sessionId };
  }
  return undefined;
}

const contextOf = (documentId: string, exp: string) => JSON.stringify([documentId, exp]);

/** The decoder drops white space and spare bits: only the one text that was written is a signature. */
function isCanonical(sig: string): boolean {
  try {
    return base64url.encode(base64url.decode(sig)) === sig;
  } catch {
    return false;
  }
}
