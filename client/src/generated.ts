// Made from openapi.json by `npm run docs`. Do not edit.
import type { Upload } from "./upload.ts";

export type Account = {
  id: string;
  username: string;
  profile_picture: string | null;
  referral_code: string;
  status: AccountStatus;
  date_joined: string;
  profile_complete: boolean;
  kyc_status: KycState;
  social_provider: SocialProvider;
};

export type AccountStatus = "ACTIVE" | "INACTIVE" | "BANNED";

export type AnalyticsReport = {
  user_id: string;
  usage: UsageStats;
  wallet: {
    balance: string;
    currency: string;
    last_updated: string;
  };
  points: Points;
  generated_at: string;
};

export type AppleAppSiteAssociation = {
  webcredentials: {
    apps: Array<string>;
  };
};

export type AppleToken = {
  id_token: string;
  /** The token must contain its SHA-256. */
  nonce: string;
  authorization_code: string;
  /** Apple returns the name only at the first sign-in. */
  name?: string | undefined;
};

export type AssetLink = {
  relation: Array<"delegate_permission/common.handle_all_urls" | "delegate_permission/common.get_login_creds">;
  target: {
    namespace: "android_app";
    package_name: string;
    sha256_cert_fingerprints: Array<string>;
  };
};

export type AuditLog = {
  id: string;
  action: "CREATE" | "UPDATE" | "DELETE" | "LOGIN" | "LOGOUT" | "VIEW";
  entity_type: string;
  entity_id: string;
  old_values: Record<string, unknown> | null;
  new_values: Record<string, unknown> | null;
  /** The user who did it; null for the system and for deleted users. */
  actor: {
    id: string;
    username: string;
  } | null;
  by_staff: boolean;
  ip: string | null;
  user_agent: string | null;
  session_id: string | null;
  created_at: string;
};

export type BindingState = "up" | "down";

export type CodeSent = {
  message: string;
  /** Seconds for which the code is valid. */
  expires_in: number;
  /** Seconds until the next code may be requested. */
  resend_in: number;
};

export type CodeVerified = {
  verification_token: string;
  /** The next step: REGISTER or LOGIN. Ignore it for a code that was requested for CHANGE. */
  purpose: OtpPurpose;
  /** Seconds for which the verification token is valid. */
  expires_in: number;
  message: string;
};

export type ConsoleSession = {
  access_token: string;
  token_type: "Bearer";
  /** Seconds until the access token expires. */
  expires_in: number;
  user: {
    id: string;
    username: string;
    role: UserRole;
    /** Whether the role works only once a passkey has proved this session, by `POST /api/auth/proof`. */
    passkey_required: boolean;
  };
};

export type DeadLetter = {
  id: string;
  queue: string;
  type: string | null;
  user_id: string | null;
  reason: string;
  trace: string | null;
  attempts: number;
  /** JSON text, with hints instead of what identifies a person; null if it was too large or sends a code, and after its user's account was deleted. */
  payload: string | null;
  created_at: string;
  /** When it was replayed or discarded. */
  settled_at: string | null;
};

export type Device = {
  id: string;
  device_id: string;
  fcm_token: string | null;
  device_type: DeviceType;
  device_name: string | null;
  app_version: string | null;
  os_version: string | null;
  is_active: boolean;
  last_used: string;
};

export type DeviceType = "ANDROID" | "IOS" | "WEB";

export type Dispute = {
  outcome: "RESTORED" | "HELD";
  message: string;
};

/** Valid for five minutes and only while this session is live. Opens without a token. */
export type DocumentLink = string;

export type EndedSessions = {
  message: string;
  ended: number;
};

export type EndedSessionsResponse = Success & {
  data: EndedSessions;
};

/** Branch on this; docs/errors.md explains each. */
export type ErrorCode =
  | "validation_error"
  | "invalid_otp"
  | "invalid_token"
  | "social_auth_failed"
  | "id_token_stale"
  | "access_denied"
  | "passkey_failed"
  | "passkey_unknown"
  | "refresh_token_required"
  | "authentication_required"
  | "token_not_valid"
  | "permission_denied"
  | "reauthentication_required"
  | "passkey_required"
  | "https_required"
  | "account_inactive"
  | "not_found"
  | "user_not_found"
  | "method_not_allowed"
  | "user_already_exists"
  | "identifier_replaced"
  | "number_dormant"
  | "username_taken"
  | "link_required"
  | "open_rental"
  | "debt_due"
  | "last_sign_in_method"
  | "last_admin"
  | "kyc_already_approved"
  | "kyc_not_viewed"
  | "kyc_version_stale"
  | "provider_already_linked"
  | "conflict"
  | "idempotency_key_reused"
  | "payload_too_large"
  | "unsupported_media_type"
  | "rate_limit_exceeded"
  | "internal_error"
  | "service_unavailable";

export type Export = {
  exported_at: string;
  account:
    | (Account & {
        last_login: string | null;
        last_activity_at: string | null;
        social_profile_data: Record<string, unknown> | null;
      })
    | null;
  profile: Profile | null;
  identity: Identity | null;
  identity_changes: Array<{
    kind: "email" | "phone";
    old_identifier: string | null;
    new_identifier: string | null;
    created_at: string;
    outcome: string | null;
  }>;
  known_networks: Array<{
    network: string;
    last_sign_in_at: string;
  }>;
  sessions: Array<
    Session & {
      ended_at: string | null;
      ended_because: string | null;
    }
  >;
  devices: Array<{
    device_id: string;
    device_type: string;
    device_name: string | null;
    app_version: string | null;
    os_version: string | null;
    is_active: boolean;
    last_used: string;
    created_at: string;
  }>;
  kyc: Kyc | null;
  wallet: {
    balance: string;
    currency: string;
    last_updated: string;
  } | null;
  points: Points | null;
  ledgers: {
    wallet: Array<{
      transaction_id: string;
      transaction_type: string;
      source: string;
      amount: string;
      wallet_delta: string;
      currency: string;
      occurred_at: string;
    }>;
    points: Array<{
      source: string;
      reason: string;
      reference: string;
      delta: number;
      created_at: string;
    }>;
  };
  rentals: Array<{
    rental_id: string;
    started_at: string | null;
    returned_at: string | null;
    on_time: boolean | null;
    amount: string | null;
  }>;
  favorites: Array<{
    station_id: string;
    is_favorite: boolean;
    changed_at: string;
  }>;
  statistics: UsageStats | null;
  referral: {
    status: string;
    created_at: string;
    completed_at: string | null;
  } | null;
  notifications: Array<Notification>;
  audit: Array<{
    id: string;
    action: string;
    entity_type: string;
    entity_id: string;
    old_values: Record<string, unknown> | null;
    new_values: Record<string, unknown> | null;
    by: "self" | "staff" | "system";
    ip: string | null;
    user_agent: string | null;
    session_id: string | null;
    created_at: string;
  }>;
  next_cursor: string | null;
};

export type Failure = {
  /** Always false. */
  success: boolean;
  error: {
    code: ErrorCode;
    /** For people, in the language of the request. */
    message: string;
    /** Messages, by field; of `validation_error` unless the body is unreadable, and of `payload_too_large` for a file. */
    details?: Record<string, Array<string>> | undefined;
    /** The same errors as codes. */
    fields?: Record<string, Array<FieldError>> | undefined;
  };
  request_id: string;
};

/** What is wrong with a field, with the values that its message mentions. */
export type FieldError = {
  code: FieldErrorCode;
  /** Least length or value. */
  min?: number | undefined;
  /** Greatest length or value. */
  max?: number | undefined;
  /** Accepted values. */
  choices?: Array<string> | undefined;
  /** Earliest accepted date. */
  earliest?: string | undefined;
  /** Detected format of a file. */
  format?: string | undefined;
};

export type FieldErrorCode =
  | "required"
  | "not_text"
  | "not_number"
  | "not_whole_number"
  | "not_boolean"
  | "not_date"
  | "not_instant"
  | "not_https_url"
  | "not_id"
  | "too_short"
  | "too_long"
  | "too_small"
  | "too_large"
  | "not_allowed"
  | "invalid"
  | "control_characters"
  | "ill_formed"
  | "blank"
  | "not_utf8"
  | "transfer_encoding"
  | "sent_twice"
  | "not_email"
  | "not_phone"
  | "not_identifier"
  | "unknown_phone"
  | "country_not_supported"
  | "not_mobile"
  | "not_otp"
  | "username_characters"
  | "username_reads_as_identifier"
  | "not_in_past"
  | "too_early"
  | "no_letters_or_digits"
  | "required_unless_active"
  | "required_when_rejected"
  | "required_for_identifier_change"
  | "before_start"
  | "page_out_of_reach"
  | "page_with_cursor"
  | "two_proofs"
  | "unknown_cursor"
  | "not_ordering"
  | "not_idempotency_key"
  | "redirect_uri_not_allowed"
  | "required_with_redirect_uri"
  | "not_code_challenge"
  | "not_code_verifier"
  | "file_required"
  | "not_file"
  | "file_empty"
  | "file_damaged"
  | "file_trailer"
  | "not_document"
  | "picture_format"
  | "file_format"
  | "file_is_video"
  | "file_too_large"
  | "too_many_pixels"
  | "pdf_password"
  | "unsupported_jpeg"
  | "animated_picture";

export type GoogleToken = {
  id_token: string;
  /** If sent, the token must contain it, either unchanged or as its SHA-256. */
  nonce?: string | undefined;
};

export type Health = {
  version: string;
  /** The deployed version's id at Cloudflare. */
  version_id: string | null;
  checked_at: string;
  bindings: {
    database: BindingState;
    search_database: BindingState;
    kv: BindingState;
    bucket: BindingState;
    otp_queue: BindingState;
    task_queue: BindingState;
    search_queue: BindingState;
    rate_limiter: BindingState;
    user_rate_limiter: BindingState;
    email: BindingState;
  };
};

export type HiddenField = "email" | "phone_number" | "social_profile_data" | "date_of_birth" | "address";

/** An email address, or a mobile number of a supported country in any usual notation; without a country code it is one of Nepal. */
export type Identifier = string;

export type Identity = {
  id: string;
  username: string;
  role: UserRole;
  /** The language of messages to the user. */
  locale: Locale;
  email: string | null;
  email_verified: boolean;
  /** Whether Apple forwards no email to this address any more. */
  email_stopped: boolean;
  phone_number: string | null;
  phone_verified: boolean;
  providers: Array<LinkedProvider>;
  passkeys: Array<Passkey>;
  /** Until when this session may make sensitive changes; null: prove it first, by `POST /api/auth/proof`. */
  proved_until: string | null;
  /** Whether the role works only once a passkey has proved this session. */
  passkey_required: boolean;
  /** Until when a member of staff may add a passkey without another one; null if not at all. */
  enrolment_until: string | null;
};

export type IdentityResponse = Success & {
  data: Identity;
};

export type JobRun = {
  name: string;
  period_started_at: string;
  /** Null while it is open. */
  finished_at: string | null;
  /** FAILED after a day of failures. */
  closed_as: "FAILED" | null;
  /** Rows that it changed. */
  processed: number;
  chunks: number;
};

export type Kyc = {
  id: string;
  document_type: string;
  /** Null only if it cannot be decrypted any more. */
  document_number: string | null;
  document_front_url: DocumentLink;
  document_back_url: DocumentLink | null;
  status: KycSubmissionStatus;
  verified_at: string | null;
  rejection_reason: string | null;
  created_at: string;
  updated_at: string;
};

export type KycCase = KycSubmission & {
  profile: {
    full_name: string | null;
    date_of_birth: string | null;
    address: string | null;
  };
  /** Media type of the front; a browser cannot show a PDF as an image. */
  front_type: string | null;
  back_type: string | null;
  /** Other users with the same document number, at most five, the oldest submission first. */
  duplicates: Array<{
    id: string;
    username: string;
    status: KycSubmissionStatus;
    submitted_at: string;
  }>;
  /** Each reviewer's last view of each file, the newest 20, newest first; `viewer` is null for deleted users. */
  views: Array<{
    side: "front" | "back";
    viewer: Reviewer | null;
    viewed_at: string;
  }>;
  /** Who reopened the submission, while it waits for a new decision. */
  reopened: {
    viewer: Reviewer | null;
    reopened_at: string;
    reason: string | null;
  } | null;
  approvals_needed: number;
};

export type KycRejectionCode =
  | "UNREADABLE"
  | "INCOMPLETE"
  | "BACK_MISSING"
  | "WRONG_DOCUMENT"
  | "NUMBER_MISMATCH"
  | "NAME_MISMATCH"
  | "BIRTH_DATE_MISMATCH"
  | "EXPIRED"
  | "NOT_GENUINE";

export type KycResponse = Success & {
  data: Kyc;
};

export type KycState = "NOT_SUBMITTED" | "PENDING" | "APPROVED" | "REJECTED";

export type KycStatus = {
  status: KycState;
  /** When it last entered the review, also if staff reopened it. */
  submitted_at: string | null;
  verified_at: string | null;
  rejection_reason: string | null;
};

export type KycSubmission = {
  id: string;
  document_type: string;
  /** Null only if it cannot be decrypted any more. */
  document_number: string | null;
  document_front_url: DocumentLink | null;
  document_back_url: DocumentLink | null;
  status: KycSubmissionStatus;
  verified_at: string | null;
  rejection_reason: string | null;
  created_at: string;
  updated_at: string;
  /** Changes with every submission. Send it with the decision. */
  version: number;
  submitted_at: string;
  /** Id of another user with the same document number. */
  duplicate_of: string | null;
  full_name: string | null;
  /** Where two approvals are needed, the first one of this version; `viewer` is null for deleted users. */
  approvals: Array<{
    viewer: Reviewer | null;
    approved_at: string;
  }>;
  /** Another reviewer who opened a file in the last ten minutes. */
  seen_by: {
    username: string;
    viewed_at: string;
  } | null;
  user: {
    id: string;
    username: string;
    email: string | null;
    phone_number: string | null;
    profile_picture: string | null;
  };
};

export type KycSubmissionStatus = "PENDING" | "APPROVED" | "REJECTED";

export type LinkedProvider = {
  provider: "GOOGLE" | "APPLE";
  /** As the provider reports it. */
  email: string | null;
  /** Whether Apple forwards the address's email. */
  is_relay: boolean;
  /** Whether the person withdrew the consent at the provider; then it is no way to sign in. */
  is_revoked: boolean;
  linked_at: string;
};

export type ListedUser = {
  id: string;
  username: string;
  status: AccountStatus;
  date_joined: string;
  /** The field by which the search found the user; absent without search. */
  matched?:
    | "id"
    | "email"
    | "phone_number"
    | "username"
    | "referral_code"
    | "document_number"
    | "full_name"
    | undefined;
  /** This and the fields below: with `expand=summary`. */
  full_name?: string | null | undefined;
  /** The first two and last three digits of the national number: `98•••••001`. */
  phone_hint?: string | null | undefined;
  /** The first two characters and the domain: `as•••@example.com`. */
  email_hint?: string | null | undefined;
  kyc_status?: KycState | undefined;
  role?: UserRole | undefined;
  last_login?: string | null | undefined;
};

export type Locale = "en" | "ne";

export type MessageResponse = Success & {
  data: {
    message: string;
  };
};

/** Whether the user has signed in from the network within 90 days. */
export type NetworkClass = "familiar" | "other";

export type Notification = {
  id: string;
  title: string;
  message: string;
  notification_type: NotificationType;
  data: NotificationData | null;
  is_read: boolean;
  created_at: string;
};

/** `kyc_id` and `status` with KYC_APPROVED and KYC_REJECTED. */
export type NotificationData = {
  kyc_id?: string | undefined;
  status?: KycSubmissionStatus | undefined;
};

export type NotificationResponse = Success & {
  data: Notification;
};

/** - NEW_DEVICE: a sign-in from a new network; LOCKOUT: too many wrong codes; SESSION_ENDED: a refresh token was used twice; IDENTIFIER_CHANGED: email or phone number changed; ACCOUNT_LINKED, ACCOUNT_UNLINKED: a Google or Apple account was linked or unlinked; IDENTITY_RESTORED, IDENTITY_HELD: a change of email or phone number was disputed; NUMBER_RELEASED: the phone number went to another account; DATA_EXPORTED; PASSKEY_ADDED, PASSKEY_REMOVED; PASSKEY_SUSPECT: a passkey may have been copied; PASSKEYS_RESET: staff removed all passkeys; STAFF_PASSKEYS_RESET, to admins: the passkeys of a member of staff were removed; APPLE_MAIL_STOPPED: Apple forwards no email any more; APPLE_REVOKED: sign-in with Apple was withdrawn. - WELCOME: the first sign-in with Google or Apple; PROFILE_REMINDER, KYC_REMINDER: something is missing. - KYC_APPROVED, KYC_REJECTED: the decision about the documents; `data` has `kyc_id` and `status`. - DEACTIVATED: no sign-in for 180 days; ACCOUNT_ACTIVATED, ACCOUNT_DEACTIVATED, ACCOUNT_BANNED: changed by staff. New types may be added: show `title` and `message` of an unknown type. */
export type NotificationType =
  | "NEW_DEVICE"
  | "LOCKOUT"
  | "SESSION_ENDED"
  | "IDENTIFIER_CHANGED"
  | "ACCOUNT_LINKED"
  | "ACCOUNT_UNLINKED"
  | "APPLE_MAIL_STOPPED"
  | "APPLE_REVOKED"
  | "IDENTITY_RESTORED"
  | "IDENTITY_HELD"
  | "NUMBER_RELEASED"
  | "DATA_EXPORTED"
  | "PASSKEY_ADDED"
  | "PASSKEY_REMOVED"
  | "PASSKEY_SUSPECT"
  | "PASSKEYS_RESET"
  | "STAFF_PASSKEYS_RESET"
  | "WELCOME"
  | "PROFILE_REMINDER"
  | "KYC_REMINDER"
  | "KYC_APPROVED"
  | "KYC_REJECTED"
  | "DEACTIVATED"
  | "ACCOUNT_ACTIVATED"
  | "ACCOUNT_DEACTIVATED"
  | "ACCOUNT_BANNED";

export type OtpPurpose = "REGISTER" | "LOGIN";

export type Page = {
  /** Null if the request has a cursor. */
  current_page: number | null;
  total_pages: number | null;
  /** The exact number of users; null with search or dates. */
  total_count: number | null;
  page_size: number;
  has_next: boolean;
  has_previous: boolean;
  /** Null with a cursor, after a short page and beyond the first 2,000 users: use next_cursor. */
  next_page: number | null;
  previous_page: number | null;
  next_cursor: string | null;
};

export type Passkey = {
  id: string;
  name: string | null;
  /** base64url, as in WebAuthn; for its signal methods. */
  credential_id: string;
  /** The model of the authenticator; tells which password manager holds it. */
  aaguid: string;
  /** Whether the passkey is on the person's other devices too. */
  is_synced: boolean;
  created_at: string;
  last_used_at: string | null;
};

export type PasskeyAssertion = {
  id: string;
  rawId: string;
  type: "public-key";
  response: {
    clientDataJSON: string;
    authenticatorData: string;
    signature: string;
    userHandle?: string | null | undefined;
  };
};

export type PasskeyCreationOptions = {
  challenge: string;
  rp: {
    id: string;
    name: string;
  };
  user: {
    id: string;
    name: string;
    displayName: string;
  };
  pubKeyCredParams: Array<{
    type: "public-key";
    alg: number;
  }>;
  timeout: number;
  excludeCredentials: Array<{
    type: "public-key";
    id: string;
    transports?: Array<string> | undefined;
  }>;
  authenticatorSelection: {
    residentKey: "required";
    requireResidentKey: boolean;
    userVerification: "required";
  };
  attestation: "none";
};

export type PasskeyRegistration = {
  id: string;
  rawId: string;
  type: "public-key";
  response: {
    clientDataJSON: string;
    attestationObject: string;
    transports?: Array<string> | null | undefined;
  };
};

export type PasskeyRequestOptions = {
  challenge: string;
  rpId: string;
  timeout: number;
  userVerification: "required";
  allowCredentials: Array<{
    type: "public-key";
    id: string;
    transports?: Array<string> | undefined;
  }>;
};

export type PasskeyResponse = Success & {
  data: Passkey;
};

export type PlainText = string;

export type Points = {
  current_points: number;
  total_points: number;
};

export type Profile = {
  id: string;
  full_name: string | null;
  date_of_birth: string | null;
  address: string | null;
  avatar_url: string | null;
  is_profile_complete: boolean;
  created_at: string;
  updated_at: string;
};

export type ProfileChange = {
  full_name?: (PlainText | null) | undefined;
  /** A day from 1900-01-01 to yesterday in Asia/Kathmandu. */
  date_of_birth?: string | null | undefined;
  address?: (PlainText | null) | undefined;
  avatar_url?: PublicUrl | undefined;
};

export type ProfileResponse = Success & {
  data: Profile;
};

export type Proof = {
  proved_until: string;
  message: string;
};

export type PublicKeys = {
  keys: Array<{
    kid: string;
    kty: "OKP";
    crv: "Ed25519";
    x: string;
    use: "sig";
    alg: "EdDSA";
  }>;
};

/** An https URL of a public host, without credentials. It is kept in the canonical form of the URL standard. */
export type PublicUrl = string | null;

export type PushData = {
  notification_id: string;
  notification_type: NotificationType;
};

export type RefreshToken = {
  /** The refresh token. Send `refresh_token` or `refresh`. */
  refresh_token?: string | null | undefined;
  /** The refresh token under its other name. */
  refresh?: string | null | undefined;
};

export type RelatedOrigins = {
  origins: Array<string>;
};

/** What the code is for. CHANGE: to replace the account's email address or phone number. */
export type RequestedOtpPurpose = "REGISTER" | "LOGIN" | "CHANGE";

/** The fields that were asked for; null where the user has none. */
export type RevealedFields = {
  email?: string | null | undefined;
  phone_number?: string | null | undefined;
  social_profile_data?: Record<string, unknown> | null | undefined;
  date_of_birth?: string | null | undefined;
  address?: string | null | undefined;
};

export type Reviewer = {
  id: string;
  username: string;
};

export type SentCode = {
  channel: "sms" | "email";
  created_at: string;
  network_class: NetworkClass;
  /** Wrong tries; null once the code was used. */
  tries: number | null;
  /** When a provider accepted the message. */
  delivered_at: string | null;
  /** When sending was given up. */
  undeliverable_at: string | null;
  verified_at: string | null;
};

export type Session = {
  id: string;
  /** Whether this session made the request. */
  current: boolean;
  created_at: string;
  last_used_at: string;
  ip: string;
  user_agent: string | null;
  device_name: string | null;
  method: "OTP_EMAIL" | "OTP_PHONE" | "GOOGLE" | "APPLE" | "PASSKEY";
};

export type SessionListResponse = Success & {
  data: Array<Session>;
};

export type SignIn = SocialSignIn & {
  referral_applied: boolean;
};

export type SignInLock = {
  /** The field that holds the identifier. */
  identifier: "email" | "phone_number";
  /** Null for the failures of one network. */
  network_class: NetworkClass | null;
  /** Null for the failures of all networks of a class. */
  network: string | null;
  /** Failures that count towards the next lock. */
  failures: number;
  /** Null if it is not locked. */
  locked_until: string | null;
  /** Whether 100 failures in a row have closed the class until a success in the other, a sign-in without a code, an unlock, or 7 days without an attempt. */
  is_closed: boolean;
};

export type SignInResponse = Success & {
  data: SignIn;
};

export type SocialProvider = "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";

export type SocialSignIn = {
  user_id: string;
  access_token: string;
  refresh_token: string;
  token_type: "Bearer";
  expires_in: number;
  user: Account;
  message: string;
};

export type SocialSignInResponse = Success & {
  data: SocialSignIn;
};

export type StaffAuditLog = AuditLog & {
  /** The user whom the entry concerns; null for deleted users. */
  user: {
    id: string;
    username: string;
  } | null;
};

/** Figures are of the hour's newest 5,000 codes. */
export type StaffDelivery = {
  channels: Array<{
    channel: "sms" | "email";
    asked: number;
    delivered: number;
    undeliverable: number;
    /** Milliseconds from request to delivery; null without a delivery. */
    median_ms: number | null;
    /** Milliseconds from request to delivery; null without a delivery. */
    p95_ms: number | null;
  }>;
  providers: Array<{
    provider: string;
    /** Consecutive recipients whose messages failed. */
    failures: number;
    /** No calls until then; null if calls are made. */
    opened_until: string | null;
  }>;
  budget: Array<{
    channel: "sms" | "email";
    budget: number;
    taken: number;
    refused_by_reserve: number;
    refused_by_spent: number;
  }>;
  /** Number ranges that asked for most codes, without the last four digits. */
  ranges: Array<{
    range: string;
    codes: number;
  }>;
  networks: Array<{
    network: string;
    codes: number;
  }>;
};

export type StaffMember = {
  id: string;
  username: string;
  role: UserRole;
  last_login: string | null;
  /** Persons, cases, fields and files seen in 24 hours, at most 1,000. */
  views_24h: number;
  /** Changes in 24 hours, at most 1,000. */
  acts_24h: number;
};

/** `sign_ins` are those with a one-time code. Figures of refusals are at least what they say. */
export type StaffOverview = {
  /** Days in Asia/Kathmandu; the last is today, so far. */
  days: Array<string>;
  series: {
    sign_ups: Array<number>;
    sign_ins: Array<number>;
    codes_asked_sms: Array<number>;
    codes_asked_email: Array<number>;
    codes_delivered_sms: Array<number>;
    codes_delivered_email: Array<number>;
    codes_verified: Array<number>;
    kyc_decided: Array<number>;
    kyc_waiting: Array<number>;
    dead_letters: Array<number>;
    refused_limit: Array<number>;
    refused_unauthenticated: Array<number>;
    refused_forbidden: Array<number>;
    failed: Array<number>;
    sms_spent: Array<number>;
    sms_budget: Array<number>;
  };
  now: {
    kyc_pending: number;
    kyc_oldest_at: string | null;
    sms_taken: number;
    sms_budget: number;
    /** Those that wait for a decision, at most 1,000. */
    dead_letters: number;
    /** Sign-in locks that hold, at most 3,000. */
    locks: number;
  };
};

export type StartedSignIn = {
  login_url: string;
  provider: "google" | "apple";
  message: string;
};

export type StartedSignInResponse = Success & {
  data: StartedSignIn;
};

export type Success = {
  success: boolean;
  message: string;
};

export type Tokens = {
  access: string;
  refresh: string;
  token_type: "Bearer";
  /** Seconds until the access token expires. */
  expires_in: number;
};

export type UsageStats = {
  total_rentals: number;
  total_spent: string;
  total_points_earned: number;
  total_referrals: number;
  timely_returns: number;
  late_returns: number;
  favorite_stations_count: number;
  last_rental_date: string | null;
  member_since: string;
};

export type UserAccess = {
  locks: Array<SignInLock>;
  /** The codes of the last 24 hours, newest first. */
  codes: Array<SentCode>;
  /** At most 20, the last used ones first. */
  devices: Array<UserDevice>;
  /** The newest 20. */
  notifications: Array<Notification>;
};

export type UserChange = ProfileChange & {
  /** Letters, marks and digits of any script, and `@ . + - _`. It must not look like an email address, a phone number or an id. */
  username?: string | undefined;
  /** An email address. */
  email?: string | null | undefined;
  /** A mobile number of a supported country. */
  phone_number?: string | null | undefined;
  /** Required if username, email or phone_number changes. */
  reason?: PlainText | undefined;
  profile_picture?: PublicUrl | undefined;
};

export type UserDetail = {
  id: string;
  username: string;
  profile_picture: string | null;
  referral_code: string;
  status: AccountStatus;
  email: string | null;
  phone_number: string | null;
  email_verified: boolean;
  phone_verified: boolean;
  date_joined: string;
  /** Null for a user who has never signed in. */
  last_login: string | null;
  profile: Profile | null;
  /** Its `document_number` is masked; the review queue shows it in full. */
  kyc: Kyc | null;
  points: Points;
  wallet_balance: {
    balance: string;
    currency: string;
  };
  masked_phone: string | null;
  masked_email: string | null;
  social_provider: SocialProvider;
  /** The provider's claims about the person when the account was last linked. */
  social_profile_data: Record<string, unknown> | null;
  role: UserRole;
  /** Why the status is not ACTIVE; only `inactivity` ends at the next sign-in. */
  status_reason: "inactivity" | "staff" | "disputed" | null;
  locale: "en" | "ne";
  /** Up to 15 minutes late. */
  last_activity_at: string | null;
  /** With `mask`, and after an act once the caller's views are used up: the fields that have a value and are null here. */
  hidden?: Array<HiddenField> | undefined;
};

export type UserDetailResponse = Success & {
  data: UserDetail;
};

export type UserDevice = {
  id: string;
  device_type: "ANDROID" | "IOS" | "WEB";
  device_name: string | null;
  app_version: string | null;
  os_version: string | null;
  /** Whether a push can reach it: it has a token and a live session. */
  can_push: boolean;
  last_used_at: string;
};

export type UserRole = "user" | "staff" | "admin";

/** Letters, marks and digits of any script, and `@ . + - _`. It must not look like an email address, a phone number or an id. */
export type Username = string;

export type Wallet = {
  balance: string;
  currency: string;
  points: Points;
  last_updated: string;
};

export type WebhookUser = {
  id: string;
  username: string;
  email: string | null;
  phone_number: string | null;
  email_verified: boolean;
  phone_verified: boolean;
  status: AccountStatus;
  role: UserRole;
  /** The language of messages to the user. */
  locale: "en" | "ne";
  social_provider: SocialProvider;
  profile_picture: string | null;
  full_name: string | null;
  date_of_birth: string | null;
  address: string | null;
  avatar_url: string | null;
  profile_complete: boolean;
  kyc_status: KycState;
  date_joined: string;
  updated_at: string;
  /** Grows with every change. Ignore a message whose version is not higher than the one you have. */
  version: number;
};

/** Every operation: what it takes and the `data` of its answer. */
export interface Operations {
  /** Send a one-time code */
  "POST /auth/otp/request": {
    body: {
      identifier: Identifier;
      purpose?: RequestedOtpPurpose | undefined;
    };
    data: CodeSent;
  };
  /** Verify a one-time code */
  "POST /auth/otp/verify": {
    body: {
      identifier: Identifier;
      otp: string;
      purpose?: RequestedOtpPurpose | undefined;
    };
    data: CodeVerified;
  };
  /** Create an account */
  "POST /auth/register": {
    body: {
      identifier: Identifier;
      verification_token: string;
      username?: Username | undefined;
      referral_code?: string | undefined;
      /** After `number_dormant`: take the phone number off the sleeping account and create a new one. */
      start_over?: boolean | undefined;
    };
    data: SignIn;
  };
  /** Sign in with a verified identifier */
  "POST /auth/login": {
    body: {
      identifier: Identifier;
      verification_token: string;
      /** After `number_dormant`: a verification token of the account's verified email address. */
      second_token?: string | undefined;
      /** After `number_dormant`: any refresh token of the account, also an expired one. */
      old_refresh_token?: string | undefined;
    };
    data: SignIn;
  };
  /** Sign out */
  "POST /auth/logout": {
    body?: RefreshToken | undefined;
    data: {
      message: string;
    };
  };
  /** Start signing in with Google */
  "GET /auth/google/login": {
    query?:
      | {
          redirect_uri?: string | undefined;
          code_challenge?: string | undefined;
          code_challenge_method?: "S256" | undefined;
          state?: PlainText | undefined;
        }
      | undefined;
    data: StartedSignIn;
  };
  /** Start signing in with Apple */
  "GET /auth/apple/login": {
    query?:
      | {
          redirect_uri?: string | undefined;
          code_challenge?: string | undefined;
          code_challenge_method?: "S256" | undefined;
          state?: PlainText | undefined;
        }
      | undefined;
    data: StartedSignIn;
  };
  /** Complete an app sign-in */
  "POST /auth/social/success": {
    body: {
      code: string;
      code_verifier: string;
    };
    data: SocialSignIn;
  };
  /** Sign in with an ID token from the Google SDK */
  "POST /auth/google/token": {
    body: GoogleToken;
    data: SocialSignIn;
  };
  /** Sign in with an ID token from the Apple SDK */
  "POST /auth/apple/token": {
    body: AppleToken;
    data: SocialSignIn;
  };
  /** Get the options to sign in with a passkey */
  "POST /auth/passkey/options": {
    data: {
      public_key: PasskeyRequestOptions;
      /** Seconds until the options expire. */
      expires_in: number;
    };
  };
  /** Sign in with a passkey */
  "POST /auth/passkey/login": {
    body: {
      /** The passkey's answer as `toJSON()` gives it, as an object or as JSON text. */
      credential: PasskeyAssertion;
    };
    data: SignIn;
  };
  /** Receive a notification from Apple */
  "POST /auth/apple/notifications": {
    body: {
      payload: string;
    };
    data: {
      message: string;
    };
  };
  /** Link my Google account */
  "POST /auth/google/link": {
    body: GoogleToken & {
      verification_token?: string | undefined;
    };
    data: {
      message: string;
    };
  };
  /** Unlink my Google account */
  "DELETE /auth/google/link": {
    body?:
      | {
          verification_token?: string | undefined;
        }
      | undefined;
    data: {
      message: string;
    };
  };
  /** Link my Apple account */
  "POST /auth/apple/link": {
    body: AppleToken & {
      verification_token?: string | undefined;
    };
    data: {
      message: string;
    };
  };
  /** Unlink my Apple account */
  "DELETE /auth/apple/link": {
    body?:
      | {
          verification_token?: string | undefined;
        }
      | undefined;
    data: {
      message: string;
    };
  };
  /** Get my account */
  "GET /auth/me": {
    data: Account;
  };
  /** Prove that the session is mine */
  "POST /auth/proof": {
    body?:
      | {
          verification_token?: string | undefined;
          /** The passkey's answer as `toJSON()` gives it, as an object or as JSON text. */
          credential?: PasskeyAssertion | undefined;
        }
      | undefined;
    data: Proof;
  };
  /** Get my identity */
  "GET /auth/identity": {
    data: Identity;
  };
  /** Change the language of messages to me */
  "PATCH /auth/identity": {
    body?:
      | {
          locale?: Locale | undefined;
        }
      | undefined;
    data: Identity;
  };
  /** Add or replace my email address */
  "PUT /auth/identity/email": {
    body: {
      email: string;
      verification_token: string;
    };
    data: Identity;
  };
  /** Remove my email address */
  "DELETE /auth/identity/email": {
    data: Identity;
  };
  /** Add or replace my phone number */
  "PUT /auth/identity/phone": {
    body: {
      phone_number: string;
      verification_token: string;
      /** After `number_dormant`: take the number off the sleeping account that has it. */
      start_over?: boolean | undefined;
    };
    data: Identity;
  };
  /** Remove my phone number */
  "DELETE /auth/identity/phone": {
    data: Identity;
  };
  /** Undo a change of my email address or phone number */
  "POST /auth/identity/dispute": {
    body: {
      identifier: Identifier;
      verification_token: string;
    };
    data: Dispute;
  };
  /** Get the options to add a passkey or to prove my session with one */
  "POST /auth/passkeys/options": {
    body: {
      purpose: "REGISTER" | "PROOF";
    };
    data: {
      public_key: PasskeyRequestOptions | PasskeyCreationOptions;
      /** Seconds until the options expire. */
      expires_in: number;
    };
  };
  /** Add a passkey */
  "POST /auth/passkeys": {
    body: {
      /** The new passkey as `toJSON()` gives it, as an object or as JSON text. */
      credential: PasskeyRegistration;
      /** What the person calls it, such as the device. */
      name?: string | undefined;
    };
    data: Passkey;
  };
  /** Rename a passkey */
  "PATCH /auth/passkeys/{id}": {
    params: {
      id: string;
    };
    body: {
      name: string;
    };
    data: Passkey;
  };
  /** Remove a passkey */
  "DELETE /auth/passkeys/{id}": {
    params: {
      id: string;
    };
    data: {
      message: string;
    };
  };
  /** Delete my account permanently */
  "DELETE /auth/account": {
    body?:
      | {
          verification_token?: string | undefined;
        }
      | undefined;
    data: {
      message: string;
    };
  };
  /** List my sessions */
  "GET /auth/sessions": {
    data: Array<Session>;
  };
  /** End my other sessions */
  "DELETE /auth/sessions": {
    data: EndedSessions;
  };
  /** End one of my sessions */
  "DELETE /auth/sessions/{id}": {
    params: {
      id: string;
    };
    data: {
      message: string;
    };
  };
  /** Register this device for push notifications */
  "POST /auth/device": {
    body: {
      /** The app's own id of this installation. */
      device_id: PlainText;
      fcm_token: PlainText;
      device_type: DeviceType;
      device_name?: PlainText | undefined;
      app_version?: PlainText | undefined;
      os_version?: PlainText | undefined;
      /** Whether pushes are wanted; true at first. */
      is_active?: boolean | undefined;
    };
    data: Device;
  };
  /** Get my profile */
  "GET /users/profile": {
    data: Profile;
  };
  /** Update my profile; null clears a field */
  "PUT /users/profile": {
    body?: ProfileChange | undefined;
    data: Profile;
  };
  /** Update my profile; null is ignored */
  "PATCH /users/profile": {
    body?: ProfileChange | undefined;
    data: Profile;
  };
  /** List my notifications */
  "GET /users/notifications": {
    query?:
      | {
          page_size?: number | undefined;
          cursor?: string | undefined;
        }
      | undefined;
    data: {
      results: Array<Notification>;
      unread_count: number;
      next_cursor: string | null;
    };
  };
  /** Get a notification */
  "GET /users/notifications/{id}": {
    params: {
      id: string;
    };
    data: Notification;
  };
  /** Mark all notifications as read */
  "POST /users/notifications/read": {
    data: {
      message: string;
    };
  };
  /** Mark a notification as read */
  "POST /users/notifications/{id}/read": {
    params: {
      id: string;
    };
    data: Notification;
  };
  /** Get my wallet */
  "GET /users/wallet": {
    data: Wallet;
  };
  /** Get my usage statistics */
  "GET /users/analytics/usage-stats": {
    data: UsageStats;
  };
  /** Submit identity documents */
  "POST /users/kyc": {
    body: {
      /** CITIZENSHIP if absent. */
      document_type?: PlainText | undefined;
      /** As on the document, with at least one letter or digit. */
      document_number: PlainText;
      /** The front of the document: JPEG, PNG, WebP or PDF, at most 8 MB and 8192 × 8192 pixels */
      document_front: Upload;
      /** The back of the document: JPEG, PNG, WebP or PDF, at most 8 MB and 8192 × 8192 pixels */
      document_back?: Upload | undefined;
    };
    data: Kyc;
  };
  /** Change my submission */
  "PATCH /users/kyc": {
    body?:
      | {
          document_type?: PlainText | undefined;
          /** As on the document, with at least one letter or digit. */
          document_number?: PlainText | undefined;
          /** Replaces the front. */
          document_front?: Upload | undefined;
          /** Replaces the back. */
          document_back?: Upload | undefined;
        }
      | undefined;
    data: Kyc;
  };
  /** Get my submission */
  "GET /users/kyc": {
    data: Kyc;
  };
  /** Get my KYC status */
  "GET /users/kyc/status": {
    data: KycStatus;
  };
  /** Export my data */
  "GET /users/export": {
    query?:
      | {
          cursor?: string | undefined;
        }
      | undefined;
    data: Export;
  };
  /** List KYC submissions */
  "GET /users/kyc/submissions": {
    query?:
      | {
          status?: KycSubmissionStatus | undefined;
          mask?: boolean | undefined;
          page_size?: number | undefined;
          cursor?: string | undefined;
        }
      | undefined;
    data: {
      results: Array<KycSubmission>;
      /** Number of submissions of the status. */
      total_count: number;
      next_cursor: string | null;
    };
  };
  /** Get a KYC submission with what it is compared with */
  "GET /users/{id}/kyc": {
    params: {
      id: string;
    };
    data: KycCase;
  };
  /** Approve or reject a KYC submission, or take the decision back */
  "PATCH /users/{id}/kyc": {
    params: {
      id: string;
    };
    body: {
      /** PENDING takes a decision back: the submission is in the queue again. */
      status: KycSubmissionStatus;
      /** A standard reason, shown to the user in their language. */
      rejection_code?: (KycRejectionCode | null) | undefined;
      /** Shown to the user, after the standard reason. REJECTED requires one of the two. */
      rejection_reason?: PlainText | undefined;
      /** Kept in the audit log. Required if status is PENDING. */
      reason?: PlainText | undefined;
      /** The version that was reviewed. A stale version is refused. */
      version?: number | undefined;
    };
    data: Kyc;
  };
  /** List and search users */
  "GET /users": {
    query?:
      | {
          page?: number | undefined;
          page_size?: number | undefined;
          cursor?: string | undefined;
          status?: AccountStatus | undefined;
          email_verified?: boolean | undefined;
          phone_verified?: boolean | undefined;
          kyc_status?: KycState | undefined;
          search?: PlainText | undefined;
          expand?: "summary" | undefined;
          start_date?: (string | string) | undefined;
          end_date?: (string | string) | undefined;
          ordering?:
            | "date_joined"
            | "-date_joined"
            | "last_login"
            | "-last_login"
            | "username"
            | "-username"
            | undefined;
        }
      | undefined;
    data: {
      results: Array<ListedUser>;
      pagination: Page;
    };
  };
  /** Create an account */
  "POST /users": {
    body: {
      identifier: Identifier;
      username?: Username | undefined;
      full_name?: (PlainText | null) | undefined;
      /** A day from 1900-01-01 to yesterday in Asia/Kathmandu. */
      date_of_birth?: string | null | undefined;
      address?: (PlainText | null) | undefined;
      avatar_url?: PublicUrl | undefined;
      profile_picture?: PublicUrl | undefined;
    };
    data: UserDetail;
  };
  /** Get a user */
  "GET /users/{id}": {
    params: {
      id: string;
    };
    query?:
      | {
          mask?: boolean | undefined;
        }
      | undefined;
    data: UserDetail;
  };
  /** Update a user; null clears a field */
  "PUT /users/{id}": {
    params: {
      id: string;
    };
    body?: UserChange | undefined;
    data: UserDetail;
  };
  /** Update a user; null is ignored */
  "PATCH /users/{id}": {
    params: {
      id: string;
    };
    body?: UserChange | undefined;
    data: UserDetail;
  };
  /** Show hidden fields of a user */
  "POST /users/{id}/reveal": {
    params: {
      id: string;
    };
    body: {
      /** The fields to show. */
      fields: Array<HiddenField>;
    };
    data: RevealedFields;
  };
  /** See why a user cannot sign in or be reached */
  "GET /users/{id}/access": {
    params: {
      id: string;
    };
    data: UserAccess;
  };
  /** Add a note about a user */
  "POST /users/{id}/notes": {
    params: {
      id: string;
    };
    body: {
      /** Line breaks become spaces. */
      text: PlainText;
    };
    data: AuditLog;
  };
  /** Change a user's status */
  "POST /users/{id}/status": {
    params: {
      id: string;
    };
    body: {
      status: AccountStatus;
      /** Recorded in the audit log. Required unless status is ACTIVE. */
      reason?: PlainText | undefined;
    };
    data: UserDetail;
  };
  /** Change a user's role */
  "PUT /users/{id}/role": {
    params: {
      id: string;
    };
    body: {
      role: UserRole;
      /** Kept in the audit log. */
      reason: PlainText;
    };
    data: UserDetail;
  };
  /** Unlock a user */
  "POST /users/{id}/unlock": {
    params: {
      id: string;
    };
    body: {
      /** Kept in the audit log. */
      reason: PlainText;
    };
    data: UserDetail;
  };
  /** Remove a user's passkeys */
  "POST /users/{id}/passkey-reset": {
    params: {
      id: string;
    };
    body: {
      /** Kept in the audit log. */
      reason: PlainText;
    };
    data: UserDetail;
  };
  /** List a user's sessions */
  "GET /users/{id}/sessions": {
    params: {
      id: string;
    };
    data: Array<Session>;
  };
  /** End a user's sessions */
  "DELETE /users/{id}/sessions": {
    params: {
      id: string;
    };
    data: EndedSessions;
  };
  /** Request an analytics report */
  "POST /users/{id}/analytics-report": {
    params: {
      id: string;
    };
    data: {
      message: string;
    };
  };
  /** Get an analytics report */
  "GET /users/{id}/analytics-report": {
    params: {
      id: string;
    };
    data: AnalyticsReport;
  };
  /** List a user's audit log */
  "GET /users/{id}/audit-logs": {
    params: {
      id: string;
    };
    query?:
      | {
          mask?: boolean | undefined;
          page_size?: number | undefined;
          cursor?: string | undefined;
          entity_type?: PlainText | undefined;
        }
      | undefined;
    data: {
      results: Array<AuditLog>;
      next_cursor: string | null;
    };
  };
  /** Get the figures of the service */
  "GET /staff/overview": {
    query?:
      | {
          days?: number | undefined;
        }
      | undefined;
    data: StaffOverview;
  };
  /** See how codes are delivered */
  "GET /staff/delivery": {
    data: StaffDelivery;
  };
  /** List staff and admins */
  "GET /staff/members": {
    data: Array<StaffMember>;
  };
  /** List what a member of staff has seen and done */
  "GET /staff/audit-logs": {
    query: {
      actor_id: string;
      page_size?: number | undefined;
      cursor?: string | undefined;
    };
    data: {
      results: Array<StaffAuditLog>;
      next_cursor: string | null;
    };
  };
  /** List dead letters */
  "GET /staff/dead-letters": {
    query?:
      | {
          state?: "WAITING" | "REPLAYED" | "DISCARDED" | undefined;
          type?: PlainText | undefined;
          page_size?: number | undefined;
          cursor?: string | undefined;
        }
      | undefined;
    data: {
      results: Array<DeadLetter>;
      next_cursor: string | null;
    };
  };
  /** Replay or discard dead letters */
  "POST /staff/dead-letters": {
    body: {
      action: "REPLAY" | "DISCARD";
      /** Ids of dead letters. */
      ids?: Array<string> | undefined;
      /** Instead of ids: all dead letters of this type, with `before`. */
      type?: PlainText | undefined;
      /** With `type`: only those from before this time. */
      before?: string | undefined;
      /** Kept in the audit log. */
      reason: PlainText;
    };
    data: {
      settled: number;
      remaining: number;
    };
  };
  /** List the last run of each job */
  "GET /staff/jobs": {
    data: Array<JobRun>;
  };
  /** Check the service's health */
  "GET /health": {
    data: Health;
  };
}

/** Operations that honour Idempotency-Key. */
export const keyed: readonly string[] = [
  "POST /auth/otp/request",
  "POST /auth/otp/verify",
  "POST /auth/register",
  "POST /auth/login",
  "POST /auth/google/token",
  "POST /auth/apple/token",
  "POST /auth/passkey/login",
  "POST /users/kyc",
  "PATCH /users/kyc",
];

/** Operations that take no access token. */
export const open: readonly string[] = [
  "POST /auth/otp/request",
  "POST /auth/otp/verify",
  "POST /auth/register",
  "POST /auth/login",
  "GET /auth/google/login",
  "GET /auth/apple/login",
  "POST /auth/social/success",
  "POST /auth/google/token",
  "POST /auth/apple/token",
  "POST /auth/passkey/options",
  "POST /auth/passkey/login",
  "POST /auth/apple/notifications",
  "POST /auth/identity/dispute",
  "GET /health",
];

/** Operations whose body is a form with files. */
export const forms: readonly string[] = ["POST /users/kyc", "PATCH /users/kyc"];
