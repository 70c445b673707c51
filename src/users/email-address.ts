/** RFC 5321 section 4.5.3.1.1, in octets. */
const MAX_LOCAL_LENGTH = 64;
/** RFC 5321 section 4.5.3.1.3: a path of 256 octets, without its angle brackets. */
export const MAX_EMAIL_LENGTH = 254;

/** A dot-atom (RFC 5322 section 3.2.3): the characters of the HTML standard's e-mail fields, and no empty part. */
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
/** Two or more labels of 1 to 63 characters (RFC 1035 section 2.3.4); the last is letters or an A-label, so that no IP address fits. */
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])$/;
/** ASCII that is no part of a domain; in a URL's host some of it means something else. */
const NO_DOMAIN_CHARACTER = /[^A-Za-z0-9.\u{80}-\u{10ffff}-]/u;
/** Dots of IDNA (UTS #46) with a hyphen beside them, and hyphens at either end. */
const OUTER_HYPHEN = /(^|[.。．｡])-|-([.。．｡]|$)/;

/**
 * The one form of an e-mail address: local part in lower case, domain in ASCII by IDNA (UTS #46), without a trailing dot.
 * A local part beyond ASCII is refused: it needs SMTPUTF8 (RFC 6531) at every server on the way, and the provider that
 * sends our codes does not promise it.
 *
 * @returns undefined for text that is no address.
 */
export function canonicalEmail(given: string): string | undefined {
  const at = given.lastIndexOf("@");
  const local = given.slice(0, at);
  const domain = asciiDomain(given.slice(at + 1));
  if (at < 1 || domain === undefined || local.length > MAX_LOCAL_LENGTH || !LOCAL_PART.test(local)) return undefined;
  const address = `${local.toLowerCase()}@${domain}`;
  return address.length > MAX_EMAIL_LENGTH ? undefined : address;
}

/** A domain as its A-labels (RFC 5890 section 2.3.2.1), in lower case; undefined for text that is no domain. */
export function asciiDomain(given: string): string | undefined {
  if (NO_DOMAIN_CHARACTER.test(given) || OUTER_HYPHEN.test(given)) return undefined;
  const url = URL.parse(`http://${given}`);
  const domain = url?.hostname.replace(/\.$/, "");
  return domain !== undefined && DOMAIN.test(domain) ? domain : undefined;
}
