/** Types of events that are sent before changes by users, and types that are sent after them. */
const urgencyClasses = {
  /** Deletions, revocations and security warnings: among them every type of `notifySecurityEvents`. */
  first: [
    ...["user.deleted", "account.deleted", "social.revocation_due"],
    ...["auth.refresh_reuse", "auth.lockout", "auth.new_device", "user.identifier_changed"],
    ...["auth.social_linked", "auth.social_unlinked", "auth.number_released", "auth.data_exported"],
    ...["security.message_due", "auth.identity_restored", "auth.identity_held"],
    ...["auth.passkey_added", "auth.passkey_removed", "auth.passkey_suspect", "auth.passkeys_reset"],
  ],
  /** Reminders, which jobs record thousands at a time. Put a new type of this kind here. */
  last: ["profile.reminder_due", "kyc.reminder_due"],
};

/** Values of `outbox.urgency`, most urgent first. */
export const URGENCIES = [0, 1, 2] as const;

/** Sending order of waiting events by their type, 0 first. */
export function urgencyOf(type: string): (typeof URGENCIES)[number] {
  if (urgencyClasses.first.includes(type)) return 0;
  return urgencyClasses.last.includes(type) ? 2 : 1;
}

/** `urgencyOf` of a column, as SQL text. */
export function urgencySql(column: string): string {
  const list = (types: readonly string[]) => types.map((type) => `'${type}'`).join(", ");
  return `case when ${column} in (${list(urgencyClasses.first)}) then 0 when ${column} in (${list(urgencyClasses.last)}) then 2 else 1 end`;
}
