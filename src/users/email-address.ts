/** RFC 5321 section 4.5.3.1.1, in octets. */
const MAX_LOCAL_LENGTH = 64;
/** RFC 5321 section 4.5.3.1.3: a path of 256 octets, without its angle brackets. */
export const MAX_EMAIL_LENGTH = 254;

/**
 * A dot-atom (RFC 5322 section 3.2.3) of the characters that the HTML standard allows in email fields, without empty
 * parts.
 */
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
/**
 * Two or more labels of 1 to 63 characters (RFC 1035 section 2.3.4). The last consists of letters or is an A-label,
 * which excludes IP addresses.
 */
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])$/;
/** ASCII characters that no domain contains; some of them have a special meaning in the host of a URL. */
const NO_DOMAIN_CHARACTER = /[^A-Za-z0-9.\u{80}-\u{10ffff}-]/u;
/** An IDNA dot (UTS #46) next to a hyphen, or a hyphen at either end. */
const OUTER_HYPHEN = /(^|[.。．｡])-|-([.。．｡]|$)/;

/**
 * The canonical form of an email address: local part in lower case, domain in ASCII by IDNA (UTS #46), without a
 * trailing dot. Non-ASCII local parts are refused: they require SMTPUTF8 (RFC 6531) at every mail server, and the
 * provider that sends the codes does not guarantee it.
 *
 * @returns undefined if the text is not an address.
 */
export function canonicalEmail(given: string): string | undefined {
  const at = given.lastIndexOf("@");
  const local = given.slice(0, at);
  const domain = asciiDomain(given.slice(at + 1));
  if (at < 1 || domain === undefined || local.length > MAX_LOCAL_LENGTH || !LOCAL_PART.test(local)) return undefined;
  const address = `${local.toLowerCase()}@${domain}`;
  return address.length > MAX_EMAIL_LENGTH ? undefined : address;
}

/** A domain as A-labels (RFC 5890 section 2.3.2.1) in lower case; undefined if the text is not a domain. */
export function asciiDomain(given: string): string | undefined {
  if (NO_DOMAIN_CHARACTER.test(given) || OUTER_HYPHEN.test(given)) return undefined;
  const url = URL.parse(`http://${given}`);
  const domain = url?.hostname.replace(/\.$/, "");
  return domain !== undefined && DOMAIN.test(domain) ? domain : undefined;
}
