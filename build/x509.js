// Replaces @peculiar/x509 in the Worker's bundle (see `alias` in wrangler.toml). SimpleWebAuthn uses it only for attestation
// certificates, and src/auth/passkey/webauthn.ts removes the attestation statement before the library sees it.

class NotSupported {
  constructor() {
    throw new Error("Attestation certificates are not supported.");
  }
}

export {
  NotSupported as AuthorityKeyIdentifierExtension,
  NotSupported as CRLDistributionPointsExtension,
  NotSupported as SubjectKeyIdentifierExtension,
  NotSupported as X509Certificate,
  NotSupported as X509ChainBuilder,
  NotSupported as X509Crl,
};
