/** What an audit entry can be about, as the trail names it. A test compares the list with the server's. */
export const AUDITED = {
  user: "Account",
  profile: "Profile",
  kyc: "Identity",
  session: "Sign-ins",
  device: "Devices",
  social_account: "Google and Apple",
  passkey: "Passkeys",
  sign_in_locks: "Locks",
  note: "Notes",
  export: "Exports",
  user_field: "Fields shown to staff",
  kyc_document: "Files shown to staff",
  audit_log: "Looks at this trail",
  dead_letter: "Dead letters",
} as const;
