/** Groups of operations, in the order of the document, with their descriptions. */
export const tags = {
  "One-time codes": "Prove an email address or a phone number with a code. Both sign-up and sign-in begin here.",
  Account: "Create an account, sign in, read it and delete it.",
  Identity: "Read and change how the user signs in, and prove that a session is theirs.",
  Sessions: "Refresh the tokens, sign out, and see where the user is signed in.",
  "Google and Apple": "Sign in with Google or Apple, by their SDKs or in the browser, and link them to an account.",
  Passkeys: "Sign in with a passkey, and add and remove passkeys.",
  Devices: "Register a phone or browser for push notifications.",
  Profile: "Read and change the user's own profile.",
  KYC: "Submit identity documents and follow their review.",
  Wallet: "The user's balance, points and usage.",
  Notifications: "What the user was told in the app.",
  "Staff: users": "For staff only: find, create and change users.",
  "Staff: KYC review": "For staff only: decide about submitted identity documents.",
  Console: "For the staff console only: its page and the session of its browser.",
  "Staff: service": "For staff only: figures, delivery of codes, colleagues, dead letters and jobs.",
  Platform: "Health, keys and this document.",
} as const;

export type Tag = keyof typeof tags;
