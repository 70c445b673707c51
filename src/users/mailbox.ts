/** Domains of Gmail, which ignores dots in the local part. */
const GMAIL = new Set(["gmail.com", "googlemail.com"]);

/**
 * The mailbox that an address most likely delivers to: without `+tag`, and at Gmail without dots and with one domain.
 * For limits only; two addresses of one mailbox remain two identifiers.
 *
 * @param address as `canonicalEmail` returns it.
 */
export function mailboxOf(address: string): string {
  const at = address.lastIndexOf("@");
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  const [base = ""] = local.split("+", 1);
  // A local part that begins with a plus has no name before its tag.
  const name = base === "" ? local : base;
  return GMAIL.has(domain) ? `${name.replaceAll(".", "")}@gmail.com` : `${name}@${domain}`;
}
