import { base64url } from "jose";
import { z } from "zod";
import { currentSecret } from "../../platform/config/keyring.ts";
import { open, seal } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";

/** Lifetime of a document link, in seconds. */
const LINK_TTL_SECONDS = 300;
/** Longer signatures cannot be valid and are refused before any work is spent on them. */
const MAX_SIGNATURE_LENGTH = 400;

const viewerSchema = z.tuple([z.string(), z.string()]);

/**
 * An absolute link that opens the document without a token, for five minutes and only while this viewer's session is
 * live. `sig` is the viewer, encrypted with AES-GCM with the document and the expiry as associated data: it has 128
 * bits of authentication and does not reveal the viewer.
 *
 * @param origin origin of the viewer's own request, so that the link leads to the same host.
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

/** The viewer that the link was made for; undefined if it was altered, was not issued here or has expired. No I/O. */
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

/** The decoder ignores white space and spare bits; only the exact text that was issued is accepted. */
function isCanonical(sig: string): boolean {
  try {
    return base64url.encode(base64url.decode(sig)) === sig;
  } catch {
    return false;
  }
}
