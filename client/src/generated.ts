// Made from openapi.json by `npm run client:types`. Do not edit.
import type { Upload } from "./upload.ts";

/** Every code of an error of the API. */
export type ErrorCode =
  | "access_denied"
  | "account_inactive"
  | "authentication_required"
  | "conflict"
  | "debt_due"
  | "https_required"
  | "id_token_stale"
  | "idempotency_key_reused"
  | "internal_error"
  | "invalid_otp"
  | "invalid_token"
  | "kyc_already_approved"
  | "kyc_not_viewed"
  | "kyc_version_stale"
  | "last_admin"
  | "last_sign_in_method"
  | "link_required"
  | "not_found"
  | "open_rental"
  | "payload_too_large"
  | "permission_denied"
  | "provider_already_linked"
  | "rate_limit_exceeded"
  | "reauthentication_required"
  | "refresh_token_required"
  | "service_unavailable"
  | "social_auth_failed"
  | "token_not_valid"
  | "unsupported_media_type"
  | "user_already_exists"
  | "user_not_found"
  | "username_taken"
  | "validation_error";

/** What is wrong with a field. */
export type FieldError = {
  code:
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
  min?: number | undefined;
  max?: number | undefined;
  choices?: Array<string> | undefined;
  earliest?: string | undefined;
  format?: string | undefined;
};

/** Every operation: what it takes and the `data` of its answer. */
export interface Operations {
  /** Send a one-time code */
  "POST /auth/otp/request": {
    body: {
      /** Email address or mobile number */
      identifier: string;
      purpose?: "REGISTER" | "LOGIN" | null | undefined;
    };
    data: {
      message: string;
      expires_in: number;
      resend_in: number;
    };
  };
  /** Verify a one-time code */
  "POST /auth/otp/verify": {
    body: {
      /** Email address or mobile number */
      identifier: string;
      otp: string;
      purpose?: "REGISTER" | "LOGIN" | null | undefined;
    };
    data: {
      verification_token: string;
      purpose: "REGISTER" | "LOGIN";
      expires_in: number;
      message: string;
    };
  };
  /** Create an account */
  "POST /auth/register": {
    body: {
      /** Email address or mobile number */
      identifier: string;
      verification_token: string;
      username?: string | null | undefined;
      referral_code?: string | null | undefined;
    };
    data: {
      user_id: string;
      access_token: string;
      refresh_token: string;
      token_type: "Bearer";
      expires_in: number;
      user: {
        id: string;
        username: string;
        profile_picture: string | null;
        referral_code: string;
        status: "ACTIVE" | "INACTIVE" | "BANNED";
        date_joined: string;
        profile_complete: boolean;
        kyc_status: "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";
        social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      };
      referral_applied: boolean;
      message: string;
    };
  };
  /** Sign in with a verified identifier */
  "POST /auth/login": {
    body: {
      /** Email address or mobile number */
      identifier: string;
      verification_token: string;
    };
    data: {
      user_id: string;
      access_token: string;
      refresh_token: string;
      token_type: "Bearer";
      expires_in: number;
      user: {
        id: string;
        username: string;
        profile_picture: string | null;
        referral_code: string;
        status: "ACTIVE" | "INACTIVE" | "BANNED";
        date_joined: string;
        profile_complete: boolean;
        kyc_status: "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";
        social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      };
      referral_applied: boolean;
      message: string;
    };
  };
  /** Sign out */
  "POST /auth/logout": {
    body?:
      | {
          /** The refresh token. Send `refresh_token` or `refresh`. */
          refresh_token?: string | null | undefined;
          /** The refresh token under its other name. */
          refresh?: string | null | undefined;
        }
      | undefined;
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
          state?: string | undefined;
        }
      | undefined;
    data: {
      login_url: string;
      provider: "google" | "apple";
      message: string;
    };
  };
  /** Start signing in with Apple */
  "GET /auth/apple/login": {
    query?:
      | {
          redirect_uri?: string | undefined;
          code_challenge?: string | undefined;
          code_challenge_method?: "S256" | undefined;
          state?: string | undefined;
        }
      | undefined;
    data: {
      login_url: string;
      provider: "google" | "apple";
      message: string;
    };
  };
  /** Complete an app sign-in */
  "POST /auth/social/success": {
    body: {
      code: string;
      code_verifier: string;
    };
    data: {
      user_id: string;
      access_token: string;
      refresh_token: string;
      token_type: "Bearer";
      expires_in: number;
      user: {
        id: string;
        username: string;
        profile_picture: string | null;
        referral_code: string;
        status: "ACTIVE" | "INACTIVE" | "BANNED";
        date_joined: string;
        profile_complete: boolean;
        kyc_status: "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";
        social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      };
      message: string;
    };
  };
  /** Sign in with an ID token from the Google SDK */
  "POST /auth/google/token": {
    body: {
      id_token: string;
      /** If sent, the token must contain it, either unchanged or as its SHA-256. */
      nonce?: string | null | undefined;
    };
    data: {
      user_id: string;
      access_token: string;
      refresh_token: string;
      token_type: "Bearer";
      expires_in: number;
      user: {
        id: string;
        username: string;
        profile_picture: string | null;
        referral_code: string;
        status: "ACTIVE" | "INACTIVE" | "BANNED";
        date_joined: string;
        profile_complete: boolean;
        kyc_status: "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";
        social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      };
      message: string;
    };
  };
  /** Sign in with an ID token from the Apple SDK */
  "POST /auth/apple/token": {
    body: {
      id_token: string;
      /** The token must contain its SHA-256. */
      nonce: string;
      authorization_code: string;
      /** Apple returns the name only at the first sign-in. */
      name?: string | null | undefined;
    };
    data: {
      user_id: string;
      access_token: string;
      refresh_token: string;
      token_type: "Bearer";
      expires_in: number;
      user: {
        id: string;
        username: string;
        profile_picture: string | null;
        referral_code: string;
        status: "ACTIVE" | "INACTIVE" | "BANNED";
        date_joined: string;
        profile_complete: boolean;
        kyc_status: "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";
        social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      };
      message: string;
    };
  };
  /** Link my Google account */
  "POST /auth/google/link": {
    body: {
      id_token: string;
      /** If sent, the token must contain it, either unchanged or as its SHA-256. */
      nonce?: string | null | undefined;
      verification_token?: string | null | undefined;
    };
    data: {
      message: string;
    };
  };
  /** Unlink my Google account */
  "DELETE /auth/google/link": {
    body?:
      | {
          verification_token?: string | null | undefined;
        }
      | undefined;
    data: {
      message: string;
    };
  };
  /** Link my Apple account */
  "POST /auth/apple/link": {
    body: {
      id_token: string;
      /** The token must contain its SHA-256. */
      nonce: string;
      authorization_code: string;
      /** Apple returns the name only at the first sign-in. */
      name?: string | null | undefined;
      verification_token?: string | null | undefined;
    };
    data: {
      message: string;
    };
  };
  /** Unlink my Apple account */
  "DELETE /auth/apple/link": {
    body?:
      | {
          verification_token?: string | null | undefined;
        }
      | undefined;
    data: {
      message: string;
    };
  };
  /** Get my account */
  "GET /auth/me": {
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      date_joined: string;
      profile_complete: boolean;
      kyc_status: "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
    };
  };
  /** Delete my account permanently */
  "DELETE /auth/account": {
    body?:
      | {
          verification_token?: string | null | undefined;
        }
      | undefined;
    data: {
      message: string;
    };
  };
  /** List my sessions */
  "GET /auth/sessions": {
    data: Array<{
      id: string;
      /** The one that asks. */
      current: boolean;
      created_at: string;
      last_used_at: string;
      ip: string;
      user_agent: string | null;
      device_name: string | null;
      method: "OTP_EMAIL" | "OTP_PHONE" | "GOOGLE" | "APPLE";
    }>;
  };
  /** End my other sessions */
  "DELETE /auth/sessions": {
    data: {
      message: string;
      ended: number;
    };
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
      device_id: string;
      fcm_token: string;
      device_type: "ANDROID" | "IOS" | "WEB";
      device_name?: string | null | undefined;
      app_version?: string | null | undefined;
      os_version?: string | null | undefined;
      is_active?: boolean | null | undefined;
    };
    data: {
      id: string;
      device_id: string;
      fcm_token: string | null;
      device_type: "ANDROID" | "IOS" | "WEB";
      device_name: string | null;
      app_version: string | null;
      os_version: string | null;
      is_active: boolean;
      last_used: string;
    };
  };
  /** Get my profile */
  "GET /users/profile": {
    data: {
      id: string;
      full_name: string | null;
      date_of_birth: string | null;
      address: string | null;
      avatar_url: string | null;
      is_profile_complete: boolean;
      created_at: string;
      updated_at: string;
    };
  };
  /** Update my profile; null clears a field */
  "PUT /users/profile": {
    body?:
      | {
          full_name?: string | null | undefined;
          date_of_birth?: string | null | undefined;
          address?: string | null | undefined;
          avatar_url?: string | null | undefined;
        }
      | undefined;
    data: {
      id: string;
      full_name: string | null;
      date_of_birth: string | null;
      address: string | null;
      avatar_url: string | null;
      is_profile_complete: boolean;
      created_at: string;
      updated_at: string;
    };
  };
  /** Update my profile; null is ignored */
  "PATCH /users/profile": {
    body?:
      | {
          full_name?: string | null | undefined;
          date_of_birth?: string | null | undefined;
          address?: string | null | undefined;
          avatar_url?: string | null | undefined;
        }
      | undefined;
    data: {
      id: string;
      full_name: string | null;
      date_of_birth: string | null;
      address: string | null;
      avatar_url: string | null;
      is_profile_complete: boolean;
      created_at: string;
      updated_at: string;
    };
  };
  /** List my notifications */
  "GET /users/notifications": {
    query?:
      | {
          page_size?: number | null | undefined;
          /** next_cursor of the page before */
          cursor?: string | undefined;
        }
      | undefined;
    data: {
      results: Array<{
        id: string;
        title: string;
        message: string;
        notification_type: string;
        data: Record<string, string> | null;
        is_read: boolean;
        created_at: string;
      }>;
      unread_count: number;
      next_cursor: string | null;
    };
  };
  /** Mark a notification as read */
  "POST /users/notifications/{id}/read": {
    params: {
      id: string;
    };
    data: {
      id: string;
      title: string;
      message: string;
      notification_type: string;
      data: Record<string, string> | null;
      is_read: boolean;
      created_at: string;
    };
  };
  /** Get my wallet */
  "GET /users/wallet": {
    data: {
      balance: string;
      currency: string;
      points: {
        current_points: number;
        total_points: number;
      };
      last_updated: string;
    };
  };
  /** Get my usage statistics */
  "GET /users/analytics/usage-stats": {
    data: {
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
  };
  /** Submit identity documents */
  "POST /users/kyc": {
    body: {
      document_type?: string | null | undefined;
      document_number: string;
      /** The front of the document: JPEG, PNG, WebP or PDF, at most 8 MB and 8192 × 8192 pixels */
      document_front: Upload;
      /** The back of the document: JPEG, PNG, WebP or PDF, at most 8 MB and 8192 × 8192 pixels */
      document_back?: Upload | undefined;
    };
    data: {
      id: string;
      document_type: string;
      /** Null only where our key to it is lost. */
      document_number: string | null;
      /** Lives five minutes, and only for the session that asked. */
      document_front_url: string;
      /** Lives five minutes, and only for the session that asked. */
      document_back_url: string | null;
      status: "PENDING" | "APPROVED" | "REJECTED";
      verified_at: string | null;
      rejection_reason: string | null;
      created_at: string;
      updated_at: string;
    };
  };
  /** Change my submission */
  "PATCH /users/kyc": {
    body?:
      | {
          document_type?: string | null | undefined;
          document_number?: string | null | undefined;
        }
      | undefined;
    data: {
      id: string;
      document_type: string;
      /** Null only where our key to it is lost. */
      document_number: string | null;
      /** Lives five minutes, and only for the session that asked. */
      document_front_url: string;
      /** Lives five minutes, and only for the session that asked. */
      document_back_url: string | null;
      status: "PENDING" | "APPROVED" | "REJECTED";
      verified_at: string | null;
      rejection_reason: string | null;
      created_at: string;
      updated_at: string;
    };
  };
  /** Get my submission */
  "GET /users/kyc": {
    data: {
      id: string;
      document_type: string;
      /** Null only where our key to it is lost. */
      document_number: string | null;
      /** Lives five minutes, and only for the session that asked. */
      document_front_url: string;
      /** Lives five minutes, and only for the session that asked. */
      document_back_url: string | null;
      status: "PENDING" | "APPROVED" | "REJECTED";
      verified_at: string | null;
      rejection_reason: string | null;
      created_at: string;
      updated_at: string;
    };
  };
  /** Get my KYC status */
  "GET /users/kyc/status": {
    data: {
      status: "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";
      submitted_at: string | null;
      verified_at: string | null;
      rejection_reason: string | null;
    };
  };
  /** List KYC submissions */
  "GET /users/kyc/submissions": {
    query?:
      | {
          status?: "PENDING" | "APPROVED" | "REJECTED" | undefined;
          page_size?: number | null | undefined;
          /** next_cursor of the page before */
          cursor?: string | undefined;
        }
      | undefined;
    data: {
      results: Array<{
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
        /** Changes with every submission. Send it with the decision. */
        version: number;
        submitted_at: string;
        /** Another user with that document number. */
        duplicate_of: string | null;
        user: {
          id: string;
          username: string;
          email: string | null;
          phone_number: string | null;
          profile_picture: string | null;
        };
      }>;
      next_cursor: string | null;
    };
  };
  /** Approve or reject a KYC submission */
  "PATCH /users/{id}/kyc": {
    params: {
      id: string;
    };
    body: {
      status: "APPROVED" | "REJECTED";
      /** Shown to the user. Required if status is REJECTED. */
      rejection_reason?: string | null | undefined;
      /** The version that was reviewed. A stale version is refused. */
      version?: number | null | undefined;
    };
    data: {
      id: string;
      document_type: string;
      /** Null only where our key to it is lost. */
      document_number: string | null;
      /** Lives five minutes, and only for the session that asked. */
      document_front_url: string;
      /** Lives five minutes, and only for the session that asked. */
      document_back_url: string | null;
      status: "PENDING" | "APPROVED" | "REJECTED";
      verified_at: string | null;
      rejection_reason: string | null;
      created_at: string;
      updated_at: string;
    };
  };
  /** List and search users */
  "GET /users": {
    query?:
      | {
          /** Defaults to 1. Pages reach the first 2,000 users; use cursor to go further. */
          page?: number | null | undefined;
          page_size?: number | null | undefined;
          /** next_cursor of the page before */
          cursor?: string | undefined;
          status?: "ACTIVE" | "INACTIVE" | "BANNED" | undefined;
          email_verified?: boolean | null | undefined;
          phone_verified?: boolean | null | undefined;
          kyc_status?: "NOT_SUBMITTED" | "PENDING" | "APPROVED" | "REJECTED" | undefined;
          /** Part of a username, email address or phone number, in upper or lower case. A number may have a country code and separators. Fewer than three characters match only the beginning. Results are newest first; ordering is ignored. */
          search?: string | null | undefined;
          /** Only users who joined at this time or later: an instant, or a day in Asia/Kathmandu. */
          start_date?: (string | string) | undefined;
          /** Only users who joined at this time or earlier: an instant, or a day in Asia/Kathmandu. */
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
      results: Array<{
        id: string;
        username: string;
        status: "ACTIVE" | "INACTIVE" | "BANNED";
        date_joined: string;
        /** The field by which the search found the user; absent without search. */
        matched?: "id" | "email" | "phone_number" | "username" | undefined;
      }>;
      pagination: {
        /** Null if the request has a cursor. */
        current_page: number | null;
        total_pages: number | null;
        /** The exact number of users; null with search or dates. */
        total_count: number | null;
        page_size: number;
        has_next: boolean;
        has_previous: boolean;
        /** Null if the request has a cursor or the next page is beyond the first 2,000 users: use next_cursor. */
        next_page: number | null;
        previous_page: number | null;
        next_cursor: string | null;
      };
    };
  };
  /** Create an account */
  "POST /users": {
    body: {
      /** Email address or mobile number */
      identifier: string;
      username?: string | null | undefined;
      full_name?: string | null | undefined;
      date_of_birth?: string | null | undefined;
      address?: string | null | undefined;
      avatar_url?: string | null | undefined;
      profile_picture?: string | null | undefined;
    };
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      email: string | null;
      phone_number: string | null;
      email_verified: boolean;
      phone_verified: boolean;
      date_joined: string;
      /** Null for somebody who never signed in. */
      last_login: string | null;
      profile: {
        id: string;
        full_name: string | null;
        date_of_birth: string | null;
        address: string | null;
        avatar_url: string | null;
        is_profile_complete: boolean;
        created_at: string;
        updated_at: string;
      } | null;
      /** Its document_number masked; the review queue has it in full. */
      kyc: {
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
      } | null;
      points: {
        current_points: number;
        total_points: number;
      };
      wallet_balance: {
        balance: string;
        currency: string;
      };
      masked_phone: string | null;
      masked_email: string | null;
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      /** What the provider said of the person last. */
      social_profile_data?: unknown | undefined;
    };
  };
  /** Get a user */
  "GET /users/{id}": {
    params: {
      id: string;
    };
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      email: string | null;
      phone_number: string | null;
      email_verified: boolean;
      phone_verified: boolean;
      date_joined: string;
      /** Null for somebody who never signed in. */
      last_login: string | null;
      profile: {
        id: string;
        full_name: string | null;
        date_of_birth: string | null;
        address: string | null;
        avatar_url: string | null;
        is_profile_complete: boolean;
        created_at: string;
        updated_at: string;
      } | null;
      /** Its document_number masked; the review queue has it in full. */
      kyc: {
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
      } | null;
      points: {
        current_points: number;
        total_points: number;
      };
      wallet_balance: {
        balance: string;
        currency: string;
      };
      masked_phone: string | null;
      masked_email: string | null;
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      /** What the provider said of the person last. */
      social_profile_data?: unknown | undefined;
    };
  };
  /** Update a user; null clears a field */
  "PUT /users/{id}": {
    params: {
      id: string;
    };
    body?:
      | {
          username?: string | null | undefined;
          email?: string | null | undefined;
          phone_number?: string | null | undefined;
          /** Required if username, email or phone_number changes. */
          reason?: string | null | undefined;
          profile_picture?: string | null | undefined;
          full_name?: string | null | undefined;
          date_of_birth?: string | null | undefined;
          address?: string | null | undefined;
          avatar_url?: string | null | undefined;
        }
      | undefined;
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      email: string | null;
      phone_number: string | null;
      email_verified: boolean;
      phone_verified: boolean;
      date_joined: string;
      /** Null for somebody who never signed in. */
      last_login: string | null;
      profile: {
        id: string;
        full_name: string | null;
        date_of_birth: string | null;
        address: string | null;
        avatar_url: string | null;
        is_profile_complete: boolean;
        created_at: string;
        updated_at: string;
      } | null;
      /** Its document_number masked; the review queue has it in full. */
      kyc: {
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
      } | null;
      points: {
        current_points: number;
        total_points: number;
      };
      wallet_balance: {
        balance: string;
        currency: string;
      };
      masked_phone: string | null;
      masked_email: string | null;
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      /** What the provider said of the person last. */
      social_profile_data?: unknown | undefined;
    };
  };
  /** Update a user; null is ignored */
  "PATCH /users/{id}": {
    params: {
      id: string;
    };
    body?:
      | {
          username?: string | null | undefined;
          email?: string | null | undefined;
          phone_number?: string | null | undefined;
          /** Required if username, email or phone_number changes. */
          reason?: string | null | undefined;
          profile_picture?: string | null | undefined;
          full_name?: string | null | undefined;
          date_of_birth?: string | null | undefined;
          address?: string | null | undefined;
          avatar_url?: string | null | undefined;
        }
      | undefined;
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      email: string | null;
      phone_number: string | null;
      email_verified: boolean;
      phone_verified: boolean;
      date_joined: string;
      /** Null for somebody who never signed in. */
      last_login: string | null;
      profile: {
        id: string;
        full_name: string | null;
        date_of_birth: string | null;
        address: string | null;
        avatar_url: string | null;
        is_profile_complete: boolean;
        created_at: string;
        updated_at: string;
      } | null;
      /** Its document_number masked; the review queue has it in full. */
      kyc: {
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
      } | null;
      points: {
        current_points: number;
        total_points: number;
      };
      wallet_balance: {
        balance: string;
        currency: string;
      };
      masked_phone: string | null;
      masked_email: string | null;
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      /** What the provider said of the person last. */
      social_profile_data?: unknown | undefined;
    };
  };
  /** Change a user's status */
  "POST /users/{id}/status": {
    params: {
      id: string;
    };
    body: {
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      /** Recorded in the audit log. Required unless status is ACTIVE. */
      reason?: string | null | undefined;
    };
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      email: string | null;
      phone_number: string | null;
      email_verified: boolean;
      phone_verified: boolean;
      date_joined: string;
      /** Null for somebody who never signed in. */
      last_login: string | null;
      profile: {
        id: string;
        full_name: string | null;
        date_of_birth: string | null;
        address: string | null;
        avatar_url: string | null;
        is_profile_complete: boolean;
        created_at: string;
        updated_at: string;
      } | null;
      /** Its document_number masked; the review queue has it in full. */
      kyc: {
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
      } | null;
      points: {
        current_points: number;
        total_points: number;
      };
      wallet_balance: {
        balance: string;
        currency: string;
      };
      masked_phone: string | null;
      masked_email: string | null;
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      /** What the provider said of the person last. */
      social_profile_data?: unknown | undefined;
    };
  };
  /** Change a user's role */
  "PUT /users/{id}/role": {
    params: {
      id: string;
    };
    body: {
      role: "user" | "staff" | "admin";
      /** Kept in the audit log. */
      reason: string;
    };
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      email: string | null;
      phone_number: string | null;
      email_verified: boolean;
      phone_verified: boolean;
      date_joined: string;
      /** Null for somebody who never signed in. */
      last_login: string | null;
      profile: {
        id: string;
        full_name: string | null;
        date_of_birth: string | null;
        address: string | null;
        avatar_url: string | null;
        is_profile_complete: boolean;
        created_at: string;
        updated_at: string;
      } | null;
      /** Its document_number masked; the review queue has it in full. */
      kyc: {
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
      } | null;
      points: {
        current_points: number;
        total_points: number;
      };
      wallet_balance: {
        balance: string;
        currency: string;
      };
      masked_phone: string | null;
      masked_email: string | null;
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      /** What the provider said of the person last. */
      social_profile_data?: unknown | undefined;
    };
  };
  /** Unlock a user */
  "POST /users/{id}/unlock": {
    params: {
      id: string;
    };
    body: {
      /** Kept in the audit log. */
      reason: string;
    };
    data: {
      id: string;
      username: string;
      profile_picture: string | null;
      referral_code: string;
      status: "ACTIVE" | "INACTIVE" | "BANNED";
      email: string | null;
      phone_number: string | null;
      email_verified: boolean;
      phone_verified: boolean;
      date_joined: string;
      /** Null for somebody who never signed in. */
      last_login: string | null;
      profile: {
        id: string;
        full_name: string | null;
        date_of_birth: string | null;
        address: string | null;
        avatar_url: string | null;
        is_profile_complete: boolean;
        created_at: string;
        updated_at: string;
      } | null;
      /** Its document_number masked; the review queue has it in full. */
      kyc: {
        id: string;
        document_type: string;
        /** Null only where our key to it is lost. */
        document_number: string | null;
        /** Lives five minutes, and only for the session that asked. */
        document_front_url: string;
        /** Lives five minutes, and only for the session that asked. */
        document_back_url: string | null;
        status: "PENDING" | "APPROVED" | "REJECTED";
        verified_at: string | null;
        rejection_reason: string | null;
        created_at: string;
        updated_at: string;
      } | null;
      points: {
        current_points: number;
        total_points: number;
      };
      wallet_balance: {
        balance: string;
        currency: string;
      };
      masked_phone: string | null;
      masked_email: string | null;
      social_provider: "EMAIL" | "PHONE" | "GOOGLE" | "APPLE";
      /** What the provider said of the person last. */
      social_profile_data?: unknown | undefined;
    };
  };
  /** List a user's sessions */
  "GET /users/{id}/sessions": {
    params: {
      id: string;
    };
    data: Array<{
      id: string;
      /** The one that asks. */
      current: boolean;
      created_at: string;
      last_used_at: string;
      ip: string;
      user_agent: string | null;
      device_name: string | null;
      method: "OTP_EMAIL" | "OTP_PHONE" | "GOOGLE" | "APPLE";
    }>;
  };
  /** End a user's sessions */
  "DELETE /users/{id}/sessions": {
    params: {
      id: string;
    };
    data: {
      message: string;
      ended: number;
    };
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
    data: {
      user_id: string;
      usage: {
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
      wallet: {
        balance: string;
        currency: string;
        last_updated: string;
      };
      points: {
        current_points: number;
        total_points: number;
      };
      generated_at: string;
    };
  };
  /** List a user's audit log */
  "GET /users/{id}/audit-logs": {
    params: {
      id: string;
    };
    query?:
      | {
          page_size?: number | null | undefined;
          /** next_cursor of the page before */
          cursor?: string | undefined;
        }
      | undefined;
    data: {
      results: Array<{
        id: string;
        action: "CREATE" | "UPDATE" | "DELETE" | "LOGIN" | "LOGOUT" | "VIEW";
        entity_type: string;
        entity_id: string;
        old_values?: unknown | undefined;
        new_values?: unknown | undefined;
        /** Who did it; null where it was the system, or somebody whose account is gone. */
        actor: {
          id: string;
          username: string;
        } | null;
        by_staff: boolean;
        ip: string | null;
        user_agent: string | null;
        session_id: string | null;
        created_at: string;
      }>;
      next_cursor: string | null;
    };
  };
  /** Check the service's health */
  "GET /health": {
    data: {
      version: string;
      checked_at: string;
      bindings: {
        database: "up" | "down";
        search_database: "up" | "down";
        kv: "up" | "down";
        bucket: "up" | "down";
        otp_queue: "up" | "down";
        task_queue: "up" | "down";
        search_queue: "up" | "down";
        rate_limiter: "up" | "down";
        user_rate_limiter: "up" | "down";
        email: "up" | "down";
      };
    };
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
  "GET /health",
];

/** Operations whose body is a form with files. */
export const forms: readonly string[] = ["POST /users/kyc"];
