/** SHA-256 fingerprint of the certificate that signs the test's Android app. */
export const FINGERPRINT = Array.from({ length: 32 }, (_, i) =>
  ((i * 37 + 251) % 256).toString(16).toUpperCase().padStart(2, "0"),
).join(":");

/**
 * Settings of passkeys in every test: a dashboard below the domain, one elsewhere, and an app for each system. They are
 * valid in production too, because tests change ENVIRONMENT alone.
 */
export const passkeyVars = {
  PASSKEY_RP_ID: "powerbank.example",
  PASSKEY_ORIGINS: "https://dashboard.powerbank.example,https://powerbank-staff.example",
  PASSKEY_IOS_APPS: "ABCDE12345.np.powerbank.app",
  PASSKEY_ANDROID_APPS: JSON.stringify({ "np.powerbank.app": [FINGERPRINT] }),
  STAFF_PASSKEYS: "optional",
};
